#include "estate/message.h"

#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "core/limits.h"
#include "estate/message_inner.h"

/* Reading messages, and what both directions know of their kinds. */

static const struct {
    const char *name, *members;
} kinds[MESSAGE_KINDS] = {
    [MESSAGE_CHALLENGE] = {"challenge", "challenge ?enrol"},
    [MESSAGE_OFFER] = {"offer", "offer"},
    [MESSAGE_BORN] = {"born", "intent"},
    [MESSAGE_WITHDRAW] = {"withdraw", "intent"},
    [MESSAGE_END] = {"end", "born"},
    [MESSAGE_DRILL] = {"drill", "challenge keys"},
    [MESSAGE_INVENTORY] = {"inventory", "challenge"},
    [MESSAGE_POLICY] = {"policy", ""},
};

const char *message_kind_name(enum message_kind kind)
{
    return kinds[kind].name;
}

bool message_carries(const char *operation)
{
    static const enum operation local[] = {OP_IMPORT, OP_DERIVE, OP_COPY,       OP_MODIFY,
                                           OP_WRAP,   OP_USE,    OP_INITIALISE, OP_SET_PIN};

    for (size_t i = 0; i < sizeof local / sizeof *local; i++)
        if (strcmp(operation, operation_name(local[i])) == 0)
            return false;
    return true;
}

/* A valid name, copied. */
static bool message_name(const char *text, char ret[LIMIT_NAME + 1])
{
    if (!name_valid(text))
        return false;
    memcpy(ret, text, strlen(text) + 1);
    return true;
}

/* "D" + suffix, D a digest. */
static bool digest_named(const char *name, const char *suffix)
{
    return strspn(name, "0123456789abcdef") == 64 && strcmp(name + 64, suffix) == 0;
}

static bool person_named(const char *name, size_t len)
{
    char person[LIMIT_NAME + 1];

    if (len == 0 || len > LIMIT_NAME)
        return false;
    memcpy(person, name, len);
    person[len] = '\0';
    return name_valid(person);
}

/* What may be beside a request. */
static bool vote_named(const char *name)
{
    static const char *const suffixes[] = {".p7s", ".reject.json", ".reject.p7s"};
    const size_t len = strlen(name), again = 1 + 64 + strlen(".p7s"); /* of who approved before: PERSON.D.p7s */

    if (strcmp(name, "request.json") == 0)
        return true;
    if (len > again && name[len - again] == '.' && digest_named(name + len - again + 1, ".p7s"))
        return person_named(name, len - again);
    for (size_t i = sizeof suffixes / sizeof *suffixes; i-- > 0;) {
        size_t suffix = strlen(suffixes[i]);

        if (len > suffix && len - suffix <= LIMIT_NAME && strcmp(name + len - suffix, suffixes[i]) == 0)
            return person_named(name, len - suffix);
    }
    return false;
}

bool message_file_named(const char *name)
{
    if (strncmp(name, "policies/", 9) == 0)
        return digest_named(name + 9, ".yaml");
    if (strncmp(name, "people/", 7) == 0)
        return digest_named(name + 7, ".der");
    return strncmp(name, "requests/", 9) == 0 && strspn(name + 9, "0123456789abcdef") == 64 && name[73] == '/' &&
           vote_named(name + 74);
}

static enum outcome files_read(const json_t *json, struct fault *f)
{
    json_t *files = NULL, *value = NULL;
    const char *name = NULL;
    enum outcome result = json_want_object(json, "files", &files, f);

    if (result != OK)
        return result;
    json_object_foreach(files, name, value) if (!message_file_named(name) || !json_is_string(value)) return fault_set(
        f, E_INVALID, "\"%.160s\" is no file that a message may bring", name);
    return OK;
}

/* As many lines as the header says, none longer than an entry. */
static enum outcome entries_read(struct message *m, struct span rest, struct fault *f)
{
    const uint8_t *at = rest.data, *end = rest.data + rest.len;
    uint64_t count = 0;

    while (at < end) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));

        if (newline == NULL || newline == at || (size_t)(newline - at) > LIMIT_ENTRY)
            return fault_set(f, E_INVALID, "what follows the header is not lines of a log");
        at = newline + 1;
        count++;
    }
    if (count != m->size - m->from)
        return fault_set(f, E_INVALID, "%llu entries are announced, %llu follow",
                         (unsigned long long)(m->size - m->from), (unsigned long long)count);
    m->entries = rest;
    return OK;
}

static enum outcome log_part_read(struct message *m, struct span rest, struct fault *f)
{
    const char *note = NULL;
    int64_t from = 0, size = 0;
    enum outcome result = json_want_string(m->json, "checkpoint", &note, f);

    if (result == OK)
        result = json_want_integer(m->json, "from", &from, f);
    if (result == OK)
        result = json_want_integer(m->json, "size", &size, f);
    if (result == OK && (from < 0 || size < 1 || from > size || strlen(note) > LIMIT_NOTE))
        result = fault_set(f, E_INVALID, "the entries from %lld to %lld are no part of a log", (long long)from,
                           (long long)size);
    if (result == OK)
        result = files_read(m->json, f);
    if (result != OK)
        return result;
    m->has_log = true;
    m->note = span_str(note);
    m->from = (uint64_t)from;
    m->size = (uint64_t)size;
    return entries_read(m, rest, f);
}

/* "quorate/message/KIND/v1": which it is; MESSAGE_KINDS: none. */
static enum message_kind kind_find(const char *type)
{
    for (int i = 0; i < MESSAGE_KINDS; i++) {
        char known[64];

        snprintf(known, sizeof known, "quorate/message/%s/v1", kinds[i].name);
        if (strcmp(type, known) == 0)
            return (enum message_kind)i;
    }
    return MESSAGE_KINDS;
}

static enum outcome head_read(struct message *m, struct span head, struct fault *f)
{
    const char *type = NULL, *token = NULL, *site = NULL;
    char members[160];
    enum outcome result = json_parse_canonical(head, &m->json, f);

    if (result == OK)
        result = json_want_string(m->json, "type", &type, f);
    if (result == OK && (m->kind = kind_find(type)) == MESSAGE_KINDS)
        result = fault_set(f, E_INVALID, "\"%.80s\" is no message that is known here", type);
    if (result != OK)
        return result;
    snprintf(members, sizeof members, "estate site token type %s%s",
             m->kind == MESSAGE_CHALLENGE ? "" : "checkpoint files from size ", kinds[m->kind].members);
    result = json_members(m->json, members, f);
    if (result == OK)
        result = json_want_digest(m->json, "estate", &m->estate, f);
    if (result == OK)
        result = json_want_string(m->json, "token", &token, f);
    if (result == OK)
        result = json_want_string(m->json, "site", &site, f);
    if (result == OK && (!message_name(token, m->token) || !message_name(site, m->site)))
        result = fault_set(f, E_INVALID, "token or site is no name");
    return result;
}

enum outcome message_read(struct span bytes, struct message *ret, struct fault *f)
{
    struct message m = {.kind = MESSAGE_KINDS};
    const uint8_t *newline = bytes.len != 0 ? memchr(bytes.data, '\n', bytes.len) : NULL;
    size_t head = newline != NULL ? (size_t)(newline - bytes.data) : 0;
    enum outcome result = OK;

    if (bytes.len > LIMIT_MESSAGE || head > LIMIT_HEADER)
        result = fault_set(f, E_MEMORY, "it is longer than a message may be (%u bytes)", LIMIT_MESSAGE);
    else if (newline == NULL)
        result = fault_set(f, E_INVALID, "it does not begin with a line");
    if (result == OK)
        result = head_read(&m, span_of(bytes.data, head), f);
    if (result == OK && m.kind != MESSAGE_CHALLENGE)
        result = log_part_read(&m, span_of(newline + 1, bytes.len - head - 1), f);
    else if (result == OK && head + 1 != bytes.len)
        result = fault_set(f, E_INVALID, "there is something behind a challenge");
    if (result != OK) {
        message_clear(&m);
        return fault_context(f, "this is no message to a site");
    }
    *ret = m;
    return OK;
}

void message_clear(struct message *m)
{
    json_decref(m->json);
    *m = (struct message){.kind = MESSAGE_KINDS};
}

enum outcome message_file(const struct message *m, const char *name, struct buf *ret, struct fault *f)
{
    const char *text = json_string_or_null(json_object_get(m->json, "files"), name);

    if (text == NULL)
        return fault_set(f, E_ABSENT, "the message does not bring %s", name);
    if (base64_parse(span_str(text), ret, f) != OK)
        return fault_context(f, "the message's %s", name);
    return OK;
}

static const char *const answers[MESSAGE_KINDS + 1] = {
    [MESSAGE_CHALLENGE] = "answer ?attestation challenge ?device ?identity ?identity-id ?transport ?transport-id",
    [MESSAGE_OFFER] = "receipt",
    [MESSAGE_BORN] = "intent outcome ?renewal signature",
    [MESSAGE_WITHDRAW] = "intent outcome signature",
    [MESSAGE_END] = "born outcome signature",
    [MESSAGE_DRILL] = "receipt",
    [MESSAGE_INVENTORY] = "receipt",
    [MESSAGE_POLICY] = "",
    [MESSAGE_KINDS] = "text",
};

void answer_type(enum message_kind kind, char ret[64])
{
    snprintf(ret, 64, "quorate/answer/%s/v1", kind == MESSAGE_KINDS ? "refused" : kinds[kind].name);
}

static enum outcome answer_frame(const struct site_answer *a, const struct digest *estate, const char *token,
                                 const char *site, struct fault *f)
{
    struct digest whose;
    const char *t = NULL, *s = NULL;
    enum outcome result = json_want_digest(a->json, "estate", &whose, f);

    if (result == OK)
        result = json_want_string(a->json, "token", &t, f);
    if (result == OK)
        result = json_want_string(a->json, "site", &s, f);
    if (result == OK && (!digest_equal(&whose, estate) || strcmp(t, token) != 0 || strcmp(s, site) != 0))
        result = fault_set(f, E_REFUSED, "it is the answer for another estate, token or site (%.64s at %.64s)", t, s);
    return result;
}

/* What the site holds of the host's log. */
static enum outcome answer_seen(struct site_answer *a, struct fault *f)
{
    const char *note = NULL;
    int64_t seen = 0;
    enum outcome result = json_want_string(a->json, "checkpoint", &note, f);

    if (result == OK && json_object_get(a->json, "seen") != NULL)
        result = json_want_integer(a->json, "seen", &seen, f);
    if (result == OK && (seen < 0 || (seen != 0) != (json_object_get(a->json, "root") != NULL)))
        result = fault_set(f, E_INVALID, "seen and root stand together, or not at all");
    if (result == OK && seen != 0)
        result = json_want_digest(a->json, "root", &a->root, f);
    a->seen = result == OK ? (uint64_t)seen : 0;
    a->note = note != NULL ? span_str(note) : span_of(NULL, 0);
    return result;
}

enum outcome answer_read(struct span bytes, const struct digest *estate, enum message_kind kind, const char *token,
                         const char *site, struct site_answer *ret, struct fault *f)
{
    struct site_answer a = {.kind = kind};
    const char *type = NULL, *text = NULL;
    char wanted[64], refused[64], members[200];
    enum outcome result = bytes.len <= LIMIT_ANSWER ? json_parse_canonical(bytes, &a.json, f)
                                                    : fault_set(f, E_MEMORY, "it is longer than an answer may be");

    answer_type(kind, wanted);
    answer_type(MESSAGE_KINDS, refused);
    if (result == OK)
        result = json_want_string(a.json, "type", &type, f);
    if (result == OK && strcmp(type, refused) == 0)
        kind = MESSAGE_KINDS;
    else if (result == OK && strcmp(type, wanted) != 0)
        result = fault_set(f, E_REFUSED, "it is \"%.80s\", not \"%s\"", type, wanted);
    snprintf(members, sizeof members, "?checkpoint estate ?root ?seen site token type %s", answers[kind]);
    if (result == OK)
        result = json_members(a.json, members, f);
    if (result == OK)
        result = answer_frame(&a, estate, token, site, f);
    if (result == OK && kind == MESSAGE_KINDS && json_want_string(a.json, "text", &text, f) == OK)
        result = fault_set(f, E_REFUSED, "%s at %s refuses: %s", token, site, text);
    else if (result == OK)
        result = answer_seen(&a, f);
    if (result != OK) {
        site_answer_clear(&a);
        return text != NULL ? result : fault_context(f, "%s at %s: no answer that counts", token, site);
    }
    *ret = a;
    return OK;
}

void site_answer_clear(struct site_answer *a)
{
    json_decref(a->json);
    *a = (struct site_answer){.kind = MESSAGE_KINDS};
}
