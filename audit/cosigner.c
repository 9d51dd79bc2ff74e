#include "audit/cosigner.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/limits.h"

struct cosigner_state {
    char *folder, *lock_file;
    struct note_key key;
    EVP_PKEY *secret;
    pthread_mutex_t mutex; /* the threads of one server */
};

static char *path_in(const char *folder, const char *a, const char *b)
{
    char *outer = path_join(folder, a), *path = outer ? path_join(outer, b) : NULL;
    free(outer);
    return path;
}

/* FOLDER/logs/SHA-256(ORIGIN) */
static char *log_folder(const char *folder, const char *origin)
{
    struct digest d;
    return digest_one(&d, span_str(origin)) ? path_in(folder, "logs", digest_hex(&d).hex) : NULL;
}

static enum outcome put_file(const char *folder, const char *name, struct span bytes, mode_t mode, struct fault *f)
{
    char *path = path_join(folder, name);
    enum outcome rc = path ? file_create(path, bytes, mode, f) : fault_memory(f);
    free(path);
    return rc;
}

enum outcome cosigner_create(const char *folder, const char *name, struct fault *f)
{
    struct buf pem = BUF_SECRET(LIMIT_NOTE), vkey = BUF(LIMIT_NOTE);
    struct note_key key;
    EVP_PKEY *secret = NULL;
    uint8_t public[32];
    char *logs = path_join(folder, "logs");
    enum outcome rc = logs ? log_key_generate(&secret, &pem, public, f) : fault_memory(f);
    if (!rc)
        rc = note_key_make_as(COSIGNATURE_ALGORITHM, name, public, &key, f);
    if (rc)
        goto out;
    note_key_put(&key, &vkey);
    buf_puts(&vkey, "\n");
    rc = vkey.failed ? fault_memory(f) : folder_make(folder, 0700, f);
    if (!rc)
        rc = put_file(folder, "key", buf_span(&pem), 0600, f);
    if (!rc)
        rc = folder_make(logs, 0700, f);
    if (!rc)
        rc = put_file(folder, "vkey", buf_span(&vkey), 0644, f);
out:
    EVP_PKEY_free(secret);
    buf_free(&pem);
    buf_free(&vkey);
    free(logs);
    return rc;
}

/* The state of a log that was never signed. */
static enum outcome state_begin(const char *folder, const char *origin, struct fault *f)
{
    struct checkpoint none = {.size = 0};
    struct merkle_edge empty = {.size = 0};
    struct buf text = BUF(LIMIT_NOTE);
    memcpy(none.origin, origin, strlen(origin));
    merkle_root(&empty, &none.root);
    checkpoint_put(&none, &text);
    enum outcome rc = text.failed ? fault_memory(f) : put_file(folder, "state", buf_span(&text), 0600, f);
    buf_free(&text);
    return rc;
}

enum outcome cosigner_trust(const char *folder, const struct note_key *log, struct fault *f)
{
    struct cosigner_state *c = NULL;
    struct buf keys = BUF(LIMIT_NOTE), line = BUF(LIMIT_NOTE);
    struct lock *lock = NULL;
    char *inner = log_folder(folder, log->name), *path = inner ? path_join(inner, "vkeys") : NULL;
    enum outcome rc = path ? cosigner_open(folder, &c, f) : fault_memory(f);
    if (!rc)
        rc = lock_take(c->lock_file, true, &lock, f);
    if (rc)
        goto out;
    note_key_put(log, &line);
    buf_puts(&line, "\n");
    if (file_exists(path)) {
        rc = file_read(path, true, &keys, f);
        if (!rc && memmem(keys.data, keys.len, line.data, line.len))
            rc = fault_set(f, E_BUSY, "that key of \"%s\" is trusted already", log->name);
    } else {
        rc = folder_make(inner, 0700, f);
        if (!rc)
            rc = state_begin(inner, log->name, f);
    }
    buf_put(&keys, line.data, line.len);
    if (!rc)
        rc = keys.failed || line.failed ? fault_memory(f) : file_replace(path, buf_span(&keys), 0600, f);
out:
    lock_release(lock);
    cosigner_close(c);
    buf_free(&keys);
    buf_free(&line);
    free(path);
    free(inner);
    return rc;
}

enum outcome cosigner_open(const char *folder, struct cosigner_state **ret, struct fault *f)
{
    struct buf pem = BUF_SECRET(LIMIT_NOTE), vkey = BUF(LIMIT_NOTE);
    char *key_file = path_join(folder, "key"), *vkey_file = path_join(folder, "vkey");
    uint8_t public[32];
    struct cosigner_state *c = calloc(1, sizeof *c);
    enum outcome rc = OK;
    if (!c || !key_file || !vkey_file || pthread_mutex_init(&c->mutex, NULL) != 0) {
        free(c);
        c = NULL;
        rc = fault_memory(f);
        goto out;
    }
    c->folder = strdup(folder);
    c->lock_file = path_join(folder, "lock");
    rc = c->folder && c->lock_file ? file_read(vkey_file, true, &vkey, f) : fault_memory(f);
    if (!rc && (vkey.len < 2 || vkey.data[vkey.len - 1] != '\n'))
        rc = fault_set(f, E_INVALID, "%s is not one line", vkey_file);
    if (!rc) {
        vkey.data[vkey.len - 1] = '\0';
        rc = note_key_parse_as(COSIGNATURE_ALGORITHM, buf_str(&vkey), &c->key, f);
    }
    if (!rc)
        rc = file_read(key_file, true, &pem, f);
    if (!rc)
        rc = log_key_load(buf_span(&pem), &c->secret, public, f);
    if (!rc && memcmp(public, c->key.public_key, sizeof public) != 0)
        rc = fault_set(f, E_REFUSED, "%s is not the key of %s", key_file, vkey_file);
    if (rc) {
        fault_context(f, "cosigner %s", folder);
        goto out;
    }
    *ret = c;
    c = NULL; /* taken by the caller */
out:
    cosigner_close(c);
    buf_free(&pem);
    buf_free(&vkey);
    free(key_file);
    free(vkey_file);
    return rc;
}

void cosigner_close(struct cosigner_state *c)
{
    if (!c)
        return;
    pthread_mutex_destroy(&c->mutex);
    EVP_PKEY_free(c->secret);
    free(c->folder);
    free(c->lock_file);
    free(c);
}

const struct note_key *cosigner_key(const struct cosigner_state *c)
{
    return &c->key;
}

/* One of the log's keys signed it. */
static enum outcome open_by_any(struct buf *keys, struct span note, struct checkpoint *ret, struct fault *f)
{
    char *rest = NULL;
    enum outcome rc = fault_set(f, E_REFUSED, "no key is trusted for this log");
    for (char *line = strtok_r((char *)keys->data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        struct note_key key;
        rc = note_key_parse(line, &key, f);
        if (!rc)
            rc = checkpoint_open(note, &key, ret, f);
        if (!rc)
            break;
    }
    return rc;
}

/* The origin that the note claims, to find who must have signed it. */
static bool claimed_origin(struct span note, char ret[256])
{
    const uint8_t *end = note.len ? memchr(note.data, '\n', note.len) : NULL;
    size_t len = end ? (size_t)(end - note.data) : 0;
    if (len == 0 || len >= 256 || memchr(note.data, '\0', len))
        return false;
    memcpy(ret, note.data, len);
    ret[len] = '\0';
    return true;
}

/* What the checkpoint must be to follow the one signed last. */
static unsigned follows(const struct checkpoint *last, const struct checkpoint *next, const struct cosign_request *r,
                        struct fault *f)
{
    if (r->old > next->size) {
        fault_set(f, E_INVALID, "the old size is greater than that of the checkpoint");
        return 400;
    }
    if (r->old != last->size) {
        fault_set(f, E_REFUSED, "the checkpoint signed last has %llu entries, not %llu", (unsigned long long)last->size,
                  (unsigned long long)r->old);
        return 409;
    }
    if (last->size == next->size && !digest_equal(&last->root, &next->root)) {
        fault_set(f, E_REFUSED, "FORK: \"%s\" has signed two roots for %llu entries; one of them was cosigned here",
                  next->origin, (unsigned long long)next->size);
        return last->size == 0 ? 422 : 409;
    }
    bool proven = last->size == 0 || last->size == next->size
                      ? r->proof.count == 0
                      : merkle_verify_consistency(last->size, &last->root, next->size, &next->root, r->proof.nodes,
                                                  r->proof.count);
    if (!proven)
        fault_set(f, E_REFUSED, "the proof does not lead from %llu entries to %llu", (unsigned long long)last->size,
                  (unsigned long long)next->size);
    return proven ? 200 : 422;
}

/* With the lock held: judged against the state, the state written, signed. */
static unsigned add_locked(struct cosigner_state *c, const char *state_file, const struct cosign_request *r,
                           const struct checkpoint *next, struct buf *ret_body, struct fault *f)
{
    struct buf state = BUF(LIMIT_NOTE), text = BUF(LIMIT_NOTE), body = BUF(LIMIT_NOTE);
    struct checkpoint last;
    unsigned status = 500;
    if (file_read(state_file, true, &state, f) || checkpoint_parse(buf_span(&state), &last, f))
        goto out;
    if (strcmp(last.origin, next->origin) != 0) {
        fault_set(f, E_REFUSED, "%s is of another log", state_file);
        goto out;
    }
    status = follows(&last, next, r, f);
    if (status == 409)
        buf_putf(&body, "%llu\n", (unsigned long long)last.size);
    if (status == 200) {
        status = 500;
        checkpoint_put(next, &text);
        if (text.failed || file_replace(state_file, buf_span(&text), 0600, f) ||
            cosignature_put(buf_span(&text), &c->key, c->secret, moment_now(), &body, f))
            goto out;
        buf_puts(&body, "\n");
        status = 200;
    }
    if (body.failed) {
        fault_memory(f);
        status = 500;
        goto out;
    }
    buf_free(ret_body);
    *ret_body = body;
    body = BUF(0); /* taken by the caller */
out:
    buf_free(&state);
    buf_free(&text);
    buf_free(&body);
    return status;
}

unsigned cosigner_add(struct cosigner_state *c, struct span request, struct buf *ret_body, struct fault *f)
{
    struct cosign_request r;
    struct checkpoint next;
    struct buf keys = BUF(LIMIT_NOTE);
    struct lock *lock = NULL;
    char origin[256], *folder = NULL, *keys_file = NULL, *state_file = NULL;
    unsigned status = 500;
    if (cosign_request_parse(request, &r, f))
        return 400;
    if (!claimed_origin(r.note, origin)) {
        fault_set(f, E_INVALID, "no checkpoint follows the proof");
        return 400;
    }
    folder = log_folder(c->folder, origin);
    keys_file = folder ? path_join(folder, "vkeys") : NULL;
    state_file = folder ? path_join(folder, "state") : NULL;
    if (!keys_file || !state_file) {
        fault_memory(f);
        goto out;
    }
    if (!file_exists(keys_file)) {
        fault_set(f, E_ABSENT, "the log \"%s\" is not known here", origin);
        status = 404;
        goto out;
    }
    if (file_read(keys_file, true, &keys, f))
        goto out;
    enum outcome opened = open_by_any(&keys, r.note, &next, f);
    if (opened) {
        status = opened == E_REFUSED ? 403 : 400;
        goto out;
    }
    pthread_mutex_lock(&c->mutex);
    if (!lock_take(c->lock_file, true, &lock, f))
        status = add_locked(c, state_file, &r, &next, ret_body, f);
    lock_release(lock);
    pthread_mutex_unlock(&c->mutex);
out:
    buf_free(&keys);
    free(folder);
    free(keys_file);
    free(state_file);
    return status;
}
