#include "audit/state_pack.h"
#include "audit_state_fixture.h"
#include "core/file.h"

/* A state and its bytes: the same state again, whatever the log said until then. */

static struct buf packed(const struct state *s)
{
    struct fault f;
    struct buf b = BUF(1 << 24);
    assert_int_equal(state_pack(s, &b, &f), OK);
    return b;
}

static struct buf file_of(const char *path)
{
    struct fault f;
    struct buf b = BUF(1 << 24);
    if (file_read(path, false, &b, &f))
        fail_msg("%s", f.text);
    return b;
}

#define LINES 1024
static struct entry entries[LINES];
static size_t count;

static void read_entries(void)
{
    struct buf all = file_of("tests/golden/1/transcript/entries");
    struct span rest = buf_span(&all);
    while (rest.len > 0 && count < LINES) {
        struct fault f;
        size_t len = (size_t)((const uint8_t *)memchr(rest.data, '\n', rest.len) - rest.data);
        assert_int_equal(entry_parse(span_of(rest.data, len), &entries[count++], &f), OK);
        rest = span_of(rest.data + len + 1, rest.len - len - 1);
    }
    buf_free(&all);
}

static void apply(struct state *s, size_t from, size_t to)
{
    struct fault f;
    for (size_t i = from; i < to; i++)
        if (state_apply(s, &entries[i], &f))
            fail_msg("%s", f.text);
}

/* Of a whole ceremony with births: the state packed after each entry, unpacked, and gone on with to the end. */
static void the_same_at_every_entry(void **state)
{
    struct state whole, s;
    (void)state;
    read_entries();
    assert_true(count > 100);
    state_init(&whole);
    apply(&whole, 0, count);
    struct buf end = packed(&whole);
    assert_true(whole.key_count > 0 && whole.intent_count > 0 && whole.site_count > 0 && whole.ceremony_count > 0);
    state_init(&s);
    for (size_t i = 1; i <= count; i++) {
        struct fault f;
        struct state again;
        apply(&s, i - 1, i);
        struct buf bytes = packed(&s);
        assert_int_equal(state_unpack(buf_span(&bytes), &again, &f), OK);
        struct buf bytes_again = packed(&again);
        assert_true(span_equal(buf_span(&bytes), buf_span(&bytes_again)));
        apply(&again, i, count);
        struct buf last = packed(&again);
        assert_true(span_equal(buf_span(&last), buf_span(&end)));
        assert_non_null(state_request(&again, &again.requests[0].id));
        state_clear(&again);
        buf_free(&bytes);
        buf_free(&bytes_again);
        buf_free(&last);
    }
    state_clear(&s);
    state_clear(&whole);
    buf_free(&end);
    for (size_t i = 0; i < count; i++)
        entry_clear(&entries[i]);
}

/* What no ceremony of the golden transcript has: refused subjects, suspensions, cosignatures, rejections. */
static void what_is_rare(void **state)
{
    static const struct row rows[] = {
        {1, ENTRY_REFUSED, "{'findings':[],'operation':'generate','requester':'uid:1','subject':'$no'}"},
        {1, ENTRY_REQUEST, "{'operation':'suspend','request':'$q','rule':'r','subject':'$s9'," LATER "}"},
        {1, ENTRY_REJECTION, "{'document':'$d','reason':'no','request':'$q','signature':'$sig9'," VOTE "}"},
        {1, ENTRY_SUSPENDED, "{'scope':'token:root'}"},
        {1, ENTRY_COSIGNED, "{'cosignatures':['a','b'],'root':'$root','size':3}"},
    };
    struct state s, again;
    struct fault f;
    (void)state;
    found(&s);
    TELL(&s, rows);
    struct buf bytes = packed(&s);
    assert_int_equal(state_unpack(buf_span(&bytes), &again, &f), OK);
    struct buf bytes_again = packed(&again);
    assert_true(span_equal(buf_span(&bytes), buf_span(&bytes_again)));
    struct digest no = digest_named("no");
    assert_true(state_was_refused(&again, &no));
    assert_true(state_suspended(&again, "root", NULL));
    assert_string_equal(again.cosigned[0].lines.items[1], "b");
    assert_string_equal(request_named(&again, "q")->votes[0].reason, "no");
    state_clear(&again);
    buf_free(&bytes_again);

    for (size_t len = 0; len < bytes.len; len++)
        assert_int_equal(state_unpack(span_of(bytes.data, len), &again, &f), E_INVALID);
    for (size_t i = 0; i < bytes.len; i++) { /* nothing is read past its end, whatever the numbers say */
        bytes.data[i] ^= 0xFF;
        if (state_unpack(buf_span(&bytes), &again, &f) == OK)
            state_clear(&again);
        bytes.data[i] ^= 0xFF;
    }
    state_clear(&s);
    buf_free(&bytes);
}

/* The text between `begin` and the first line that is `end`, the caller's; NULL: not there. */
static char *part(const char *text, const char *begin, const char *end)
{
    const char *at = strstr(text, begin), *stop = at ? strstr(at, end) : NULL;
    return stop ? strndup(at, (size_t)(stop - at)) : NULL;
}

static bool has_word(const char *text, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = text; (at = strstr(at, word)); at += len)
        if (at > text && !isalnum((unsigned char)at[-1]) && at[-1] != '_' && !isalnum((unsigned char)at[len]) &&
            at[len] != '_')
            return true;
    return false;
}

/* The names that a structure declares, one by one: what stands before each ',' or ';' outside comments. */
static void check_members(const char *name, const char *body, const char *function)
{
    char word[64] = "";
    size_t len = 0, found = 0;
    for (const char *c = strchr(body, '{') + 1; *c; c++) {
        if (!strncmp(c, "/*", 2)) {
            c = strstr(c, "*/") + 1;
        } else if (isalnum((unsigned char)*c) || *c == '_') {
            if (len + 1 < sizeof word)
                word[len++] = *c;
            word[len] = '\0';
            if (!isalnum((unsigned char)c[1]) && c[1] != '_')
                len = 0;
        } else if ((*c == ',' || *c == ';') && word[0]) {
            found++;
            if (!has_word(function, word))
                fail_msg("audit/state_pack.c does not pack the member `%s` of struct %s", word, name);
            word[0] = '\0';
        }
    }
    assert_true(found > 1);
}

/* Who adds a member to the state and forgets to pack it would lose it at the next opening. */
static void no_member_is_forgotten(void **state)
{
    struct buf header = file_of("audit/state.h"), source = file_of("audit/state_pack.c");
    unsigned structs = 0;
    (void)state;
    for (const char *at = buf_str(&header); (at = strstr(at, "\nstruct state")); at++) {
        char name[64] = "", begin[128];
        if (sscanf(at, "\nstruct %63[a-z_] {", name) != 1 || strncmp(at + 8 + strlen(name), " {", 2) != 0)
            continue;
        char *body = part(at, "struct", "\n};");
        snprintf(begin, sizeof begin, "\nstatic void pack_%s(", strcmp(name, "state") != 0 ? name + 6 : name);
        char *function = part(buf_str(&source), begin, "\n}\n");
        if (!strcmp(name, "state")) { /* the indices follow from the rest */
            free(function);
            function = part(buf_str(&source), begin, "\nenum outcome state_pack(");
        }
        if (body && function)
            check_members(name, body, function);
        else
            fail_msg("audit/state_pack.c has no function for struct %s", name);
        free(body);
        free(function);
        structs++;
    }
    assert_true(structs >= 10);
    buf_free(&header);
    buf_free(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_at_every_entry),
        cmocka_unit_test(what_is_rare),
        cmocka_unit_test(no_member_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
