/* Cosignatures, the bytes of tlog-witness, and a cosigner's memory: it never goes back and never signs a fork. */
#include "audit/cosigner.h"
#include "audit_log_fixture.h"

#define COSIGNER "cosigner.example/one"

struct scene { /* one log, one cosigner that trusts it */
    char *home, *cosigner;
    struct log *log;
};

static struct scene scene_made(void)
{
    struct scene s = {.home = log_made()};
    struct fault f;
    char folder[64];
    assert_true(scratch_folder(folder, sizeof folder, "cosigner"));
    s.cosigner = strdup(folder);
    s.log = log_opened(s.home);
    if (cosigner_create(folder, COSIGNER, &f) || cosigner_trust(folder, log_verifier(s.log), &f))
        fail_msg("%s", f.text);
    return s;
}

static void scene_gone(struct scene *s)
{
    log_close(s->log);
    log_gone(s->home);
    log_gone(s->cosigner);
}

/* The add-checkpoint of the log as it is, from `old`. */
static struct buf request_from(const struct log *log, uint64_t old)
{
    struct fault f;
    struct buf note = BUF(LIMIT_NOTE), b = BUF(LIMIT_NOTE);
    struct cosign_request r = {.old = old};
    assert_int_equal(log_checkpoint_bytes(log, &note, &f), OK);
    if (old > 0 && old < log_size(log))
        assert_int_equal(log_consistency(log, old, log_size(log), &r.proof, &f), OK);
    r.note = buf_span(&note);
    cosign_request_put(&r, &b);
    assert_false(b.failed);
    buf_free(&note);
    return b;
}

static unsigned add_bytes(const char *folder, struct span request, char ret_body[1024])
{
    struct fault f = {OK, ""};
    struct buf body = BUF(LIMIT_NOTE);
    struct cosigner_state *c = NULL;
    if (cosigner_open(folder, &c, &f))
        fail_msg("%s", f.text);
    unsigned status = cosigner_add(c, request, &body, &f);
    snprintf(ret_body, 1024, "%s", buf_str(&body));
    if (status != 200 && f.text[0] == '\0')
        fail_msg("%u without a reason", status);
    cosigner_close(c);
    buf_free(&body);
    return status;
}

static unsigned add(const struct scene *s, uint64_t old, char ret_body[1024])
{
    struct buf request = request_from(s->log, old);
    unsigned status = add_bytes(s->cosigner, buf_span(&request), ret_body);
    buf_free(&request);
    return status;
}

static void test_signs_what_extends(void **state)
{
    (void)state;
    struct scene s = scene_made();
    char body[1024], again[1024];
    for (int i = 0; i < 4; i++)
        say(s.log, "x");
    assert_int_equal(add(&s, 0, body), 200);
    struct checkpoint c = {.size = log_size(s.log)};
    snprintf(c.origin, sizeof c.origin, "%s", ORIGIN);
    log_root(s.log, &c.root);
    struct buf text = BUF(1024), vkey = file_bytes(s.cosigner, "vkey");
    struct note_key key;
    struct fault f;
    moment at = 0;
    checkpoint_put(&c, &text);
    vkey.data[vkey.len - 1] = '\0';
    assert_int_equal(note_key_parse_as(COSIGNATURE_ALGORITHM, buf_str(&vkey), &key, &f), OK);
    body[strlen(body) - 1] = '\0';
    assert_int_equal(cosignature_check(buf_span(&text), &key, span_str(body), &at, &f), OK);
    assert_true(at > 1700000000);
    /* over another text it does not hold; for another key it is nobody's */
    assert_int_equal(cosignature_check(span_str("x\n1\ny\n"), &key, span_str(body), &at, &f), E_REFUSED);
    key.id[0] ^= 1;
    assert_int_equal(cosignature_check(buf_span(&text), &key, span_str(body), &at, &f), E_ABSENT);
    /* the same once more is no step back */
    assert_int_equal(add(&s, log_size(s.log), again), 200);
    for (int i = 0; i < 3; i++)
        say(s.log, "y");
    assert_int_equal(add(&s, 5, again), 200);
    buf_free(&text);
    buf_free(&vkey);
    scene_gone(&s);
}

static void test_every_status(void **state)
{
    (void)state;
    struct scene s = scene_made(), other = scene_made();
    char body[1024];
    for (int i = 0; i < 4; i++)
        say(s.log, "x");
    struct buf five = request_from(s.log, 0);
    assert_int_equal(add(&s, 0, body), 200);
    say(s.log, "y");
    /* 409 names the size that it knows, whatever else is wrong */
    assert_int_equal(add(&s, 0, body), 409);
    assert_string_equal(body, "5\n");
    assert_int_equal(add(&s, 3, body), 409);
    assert_string_equal(body, "5\n");
    /* 400: older than it says; not a request at all */
    assert_int_equal(add(&s, 7, body), 400);
    static const char *const bad[] = {"",
                                      "old 5",
                                      "old 05\n\n",
                                      "old -1\n\n",
                                      "new 5\n\n",
                                      "old 5\nzz\n",
                                      "old 5\n\n",
                                      "old 5\n\nnot a note\n",
                                      "old 5\nAAAA\n\nx\n1\ny\n\n",
                                      "old 99999999999999999999\n\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        unsigned status = add_bytes(s.cosigner, span_str(bad[i]), body);
        if (status != 400 && status != 404)
            fail_msg("%u for \"%s\"", status, bad[i]);
    }
    /* 422: a proof of something else */
    struct buf wrong = request_from(s.log, 5);
    uint8_t *proof = memchr(wrong.data, '\n', wrong.len);
    proof[1] = proof[1] == 'A' ? 'B' : 'A';
    assert_int_equal(add_bytes(s.cosigner, buf_span(&wrong), body), 422);
    /* 403: the right origin, another key */
    for (int i = 0; i < 5; i++)
        say(other.log, "z");
    assert_int_equal(add_bytes(s.cosigner, buf_span(&five), body), 409);
    struct buf stranger = request_from(other.log, 5);
    assert_int_equal(add_bytes(s.cosigner, buf_span(&stranger), body), 403);
    /* 404: another origin */
    uint8_t *origin = memmem(five.data, five.len, ORIGIN, strlen(ORIGIN));
    origin[0] = 'Q';
    assert_int_equal(add_bytes(s.cosigner, buf_span(&five), body), 404);
    /* after all this it goes on where it was */
    assert_int_equal(add(&s, 5, body), 200);
    buf_free(&five);
    buf_free(&wrong);
    buf_free(&stranger);
    scene_gone(&s);
    scene_gone(&other);
}

/* Two logs with one key that agree on the first entries and then differ. */
static void test_fork_is_refused(void **state)
{
    (void)state;
    struct scene s = scene_made();
    char body[1024], copy[64], command[256];
    say(s.log, "common");
    assert_true(scratch_folder(copy, sizeof copy, "log"));
    snprintf(command, sizeof command, "cp -a '%s/.' '%s'", s.home, copy);
    shell(command);
    struct scene fork = {.home = strdup(copy), .cosigner = s.cosigner, .log = log_opened(copy)};
    say(s.log, "here");
    say(fork.log, "there");
    assert_int_equal(add(&s, 0, body), 200);
    /* the same size with another root, and a larger tree over it */
    assert_int_equal(add(&fork, 3, body), 409);
    say(fork.log, "more");
    assert_int_equal(add(&fork, 3, body), 422);
    /* and never a smaller one */
    say(s.log, "more");
    assert_int_equal(add(&s, 3, body), 200);
    struct scene old = {.home = NULL, .cosigner = s.cosigner, .log = fork.log};
    assert_int_equal(add(&old, 4, body), 409);
    log_close(fork.log);
    log_gone(fork.home);
    scene_gone(&s);
}

/* Whose memory is gone might sign anything: it signs nothing. */
static void test_lost_memory(void **state)
{
    (void)state;
    struct scene s = scene_made();
    char body[1024], command[512];
    say(s.log, "x");
    assert_int_equal(add(&s, 0, body), 200);
    snprintf(command, sizeof command, "rm %s/logs/*/state", s.cosigner);
    shell(command);
    assert_int_equal(add(&s, 0, body), 500);
    assert_int_equal(add(&s, 2, body), 500);
    snprintf(command, sizeof command, "echo garbage >%s/logs/$(ls %s/logs)/state", s.cosigner, s.cosigner);
    shell(command);
    assert_int_equal(add(&s, 2, body), 500);
    scene_gone(&s);
}

/* The state is on the disk before the signature is handed out: where it cannot be written, there is no signature. */
static void test_state_before_signature(void **state)
{
    (void)state;
    struct scene s = scene_made();
    char body[1024], command[512];
    say(s.log, "x");
    struct buf before = BUF(1024), after = BUF(1024);
    snprintf(command, sizeof command,
             "cd %s/logs/* && mkdir trap && cp state trap/old && rm state && ln -s trap/old state", s.cosigner);
    shell(command);
    assert_int_equal(add(&s, 0, body), 500);
    assert_string_equal(body, "");
    buf_free(&before);
    buf_free(&after);
    scene_gone(&s);
}

static void test_two_keys_of_one_log(void **state)
{
    (void)state;
    struct scene s = scene_made(), other = scene_made();
    struct fault f;
    char body[1024];
    assert_int_equal(cosigner_trust(s.cosigner, log_verifier(s.log), &f), E_BUSY);
    assert_int_equal(cosigner_trust(s.cosigner, log_verifier(other.log), &f), OK);
    say(s.log, "x");
    assert_int_equal(add(&s, 0, body), 200);
    /* a second key is taken in without forgetting what was signed */
    struct buf stranger = request_from(other.log, 0);
    assert_int_equal(add_bytes(s.cosigner, buf_span(&stranger), body), 409);
    assert_string_equal(body, "2\n");
    assert_int_equal(cosigner_create(s.cosigner, COSIGNER, &f), E_BUSY);
    buf_free(&stranger);
    scene_gone(&s);
    scene_gone(&other);
}

/* sigsum's known answer: its key ids differ from C2SP's, the signed message is the same. */
static void test_known_answer(void **state)
{
    (void)state;
    if (!vectors_there(VECTORS "/sigsum-cosignature.json"))
        return;
    json_t *v = json_load_file(VECTORS "/sigsum-cosignature.json", 0, NULL);
    assert_non_null(v);
    struct fault f;
    struct buf raw = BUF(256), text = BUF(1024), line = BUF(1024), ssh = BUF(256);
    struct checkpoint c = {.size = (uint64_t)json_integer_value(json_object_get(v, "size"))};
    json_t *cosignature = json_object_get(v, "cosignature");
    const char *key_text = strchr(json_string_value(json_object_get(v, "witness_public_key_ssh")), ' ') + 1;
    uint64_t at = (uint64_t)json_integer_value(json_object_get(cosignature, "time"));
    struct note_key key;
    moment ret_at = 0;
    snprintf(c.origin, sizeof c.origin, "%s", json_string_value(json_object_get(v, "origin")));
    assert_int_equal(digest_parse(json_string_value(json_object_get(v, "root_hash")), &c.root, &f), OK);
    checkpoint_put(&c, &text);
    assert_int_equal(base64_parse(span_str(key_text), &ssh, &f), OK);
    assert_int_equal(note_key_make_as(COSIGNATURE_ALGORITHM, "sigsum", ssh.data + ssh.len - 32, &key, &f), OK);
    buf_put(&raw, key.id, 4);
    for (unsigned i = 0; i < 8; i++)
        buf_put(&raw, (uint8_t[]){(uint8_t)(at >> (56 - 8 * i))}, 1);
    assert_int_equal(hex_parse_buf(json_string_value(json_object_get(cosignature, "signature")), &raw, &f), OK);
    buf_puts(&line, "\xe2\x80\x94 sigsum ");
    base64_put(&line, buf_span(&raw));
    assert_int_equal(cosignature_check(buf_span(&text), &key, buf_span(&line), &ret_at, &f), OK);
    assert_true((uint64_t)ret_at == at);
    buf_free(&raw);
    buf_free(&text);
    buf_free(&line);
    buf_free(&ssh);
    json_decref(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signs_what_extends),     cmocka_unit_test(test_every_status),
        cmocka_unit_test(test_fork_is_refused),        cmocka_unit_test(test_lost_memory),
        cmocka_unit_test(test_state_before_signature), cmocka_unit_test(test_two_keys_of_one_log),
        cmocka_unit_test(test_known_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
