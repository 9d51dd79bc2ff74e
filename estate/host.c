#include "estate/host.h"

#include <stdlib.h>
#include <string.h>

#include "audit/log_copy.h"
#include "core/file.h"
#include "core/limits.h"
#include "estate/follower.h"

/* An estate whose home is a folder within ours; nothing else is bound. */
static enum outcome copy_make(const struct estate *own, struct estate **ret, struct fault *f)
{
    struct estate *e = calloc(1, sizeof *e);
    struct bindings *b = calloc(1, sizeof *b);
    bool made = e != NULL && b != NULL;

    if (made) {
        state_init(&e->state);
        e->bindings = b;
        b->path = strdup(own != NULL ? own->bindings->path : "");
        b->home = own != NULL ? estate_path(own, "host", NULL) : strdup("/nonexistent");
        b->policy = strdup("");
        made = b->path != NULL && b->home != NULL && b->policy != NULL;
    } else {
        free(b);
    }
    if (!made) {
        estate_close(e);
        return fault_memory(f);
    }
    *ret = e;
    return OK;
}

static enum outcome folders_make(const struct estate *copy, struct fault *f)
{
    static const char *const names[] = {"", "policies", "people", "requests"};
    enum outcome result = OK;

    for (size_t i = 0; result == OK && i < sizeof names / sizeof *names; i++) {
        char *path = estate_path(copy, names[i], NULL);

        result = path != NULL ? folder_make(path, 0700, f) : fault_memory(f);
        free(path);
    }
    return result;
}

static enum outcome copy_open(struct host *h, struct fault *f)
{
    const struct state_host *pinned = h->own->state.host;
    const struct policy *policy = NULL;
    struct note_key key;
    char *path = estate_path(h->copy, "log", NULL);
    enum outcome result = path != NULL ? note_key_parse(pinned->log_key, &key, f) : fault_memory(f);

    h->follower->copy = h->copy;
    h->follower->known = UINT64_MAX;
    if (result == OK)
        result = log_copy_open(path, &key, follower_visit, h->follower, &h->copy->log, f);
    if (result == OK && h->copy->state.started && !digest_equal(&h->copy->state.estate, &pinned->estate))
        result = fault_set(f, E_REFUSED, "%s holds the log of another estate: move it away", path);
    if (result == OK && h->copy->state.started)
        result = follower_policy(h->follower, &policy, f);
    h->follower->known = h->copy->state.size;
    free(path);
    return result;
}

/* A home that was put back from an older copy would take offers twice: its copy of the host's log must not be behind what
 * our own log says was seen. */
static enum outcome copy_compare(const struct host *h, struct fault *f)
{
    const struct state_host *pinned = h->own->state.host;
    struct digest root;

    if (pinned->size == 0)
        return OK;
    if (h->copy->state.size < pinned->size || log_root_at(h->copy->log, pinned->size, &root, f) != OK ||
        !digest_equal(&root, &pinned->root))
        return fault_set(f, E_REFUSED,
                         "%s has not the %llu entries that our own log says were seen: restore it, or have the host "
                         "send all (--from 0) after moving it away",
                         h->copy->bindings->home, (unsigned long long)pinned->size);
    return OK;
}

enum outcome host_open(struct estate *own, struct host **ret, struct fault *f)
{
    struct host *h = NULL;
    char *path = NULL;
    enum outcome result = OK;

    if (own->state.host == NULL)
        return fault_set(f, E_REFUSED, "%s belongs to no site of an estate: run `quorate introduce`",
                         own->bindings->home);
    h = calloc(1, sizeof *h);
    if (h == NULL)
        return fault_memory(f);
    h->own = own;
    h->follower = calloc(1, sizeof *h->follower);
    result = h->follower != NULL ? copy_make(own, &h->copy, f) : fault_memory(f);
    if (result == OK)
        result = folders_make(h->copy, f);
    path = result == OK ? estate_path(h->copy, NULL, "lock") : NULL;
    if (result == OK)
        result = path != NULL ? lock_take(path, true, &h->lock, f) : fault_memory(f);
    if (result == OK)
        result = copy_open(h, f);
    if (result == OK)
        result = copy_compare(h, f);
    if (result == OK) {
        *ret = h;
        h = NULL; /* taken by the caller */
    }
    free(path);
    host_close(h);
    return result;
}

void host_close(struct host *h)
{
    if (h == NULL)
        return;
    estate_close(h->copy);
    if (h->follower != NULL)
        follower_clear(h->follower);
    free(h->follower);
    lock_release(h->lock);
    free(h);
}

static enum outcome message_fits(const struct host *h, const struct message *m, struct fault *f)
{
    const struct state_host *pinned = h->own->state.host;
    uint64_t seen = h->copy->state.size;

    if (!digest_equal(&m->estate, &pinned->estate))
        return fault_set(f, E_REFUSED, "the message is of another estate (%.16s) than the one introduced here (%.16s)",
                         digest_hex(&m->estate).hex, digest_hex(&pinned->estate).hex);
    if (strcmp(m->token, pinned->token) != 0 || strcmp(m->site, pinned->site) != 0)
        return fault_set(f, E_REFUSED, "the message is for %s at %s; this is %s at %s", m->token, m->site,
                         pinned->token, pinned->site);
    if (!m->has_log)
        return OK;
    if (m->size < seen)
        return fault_set(f, E_REFUSED,
                         "the message is older than what this site has seen: it ends after %llu entries of the host's "
                         "log, %llu are known here; have it made anew",
                         (unsigned long long)m->size, (unsigned long long)seen);
    if (m->from > seen)
        return fault_set(f, E_REFUSED,
                         "the message begins with entry %llu of the host's log, but only %llu are known here: have it "
                         "made with --from %llu",
                         (unsigned long long)m->from, (unsigned long long)seen, (unsigned long long)seen);
    return OK;
}

/* The lines of the message that are known must be the same; ret: those that are not known. */
static enum outcome lines_compare(const struct host *h, const struct message *m, struct span *ret, struct fault *f)
{
    struct span rest = m->entries;
    enum outcome result = OK;

    for (uint64_t seq = m->from; result == OK && seq < h->copy->state.size; seq++) {
        const uint8_t *newline = memchr(rest.data, '\n', rest.len);
        size_t len = newline != NULL ? (size_t)(newline - rest.data) : 0;
        struct buf known = BUF(LIMIT_ENTRY);

        result = log_entry_bytes(h->copy->log, seq, &known, f);
        if (result == OK && !span_equal(buf_span(&known), span_of(rest.data, len)))
            result = fault_set(f, E_REFUSED,
                               "the message forks the host's log: entry %llu is not the one that was seen here before",
                               (unsigned long long)seq);
        rest = span_of(rest.data + len + 1, rest.len - len - 1);
        buf_free(&known);
    }
    if (result == OK)
        *ret = rest;
    return result;
}

/* The documents that the entries named, before the checkpoint counts. */
static enum outcome files_keep(const struct host *h, const struct message *m, struct fault *f)
{
    enum outcome result = OK;

    for (size_t i = 0; result == OK && i < h->follower->used.count; i++) {
        const char *name = h->follower->used.items[i];
        struct buf bytes = BUF(LIMIT_DOCUMENT);
        char *path = estate_path(h->copy, NULL, name), *folder = path != NULL ? path_folder(path) : NULL;

        result = folder != NULL ? message_file(m, name, &bytes, f) : fault_memory(f);
        if (result == OK)
            result = folder_make(folder, 0700, f);
        if (result == OK && !file_exists(path))
            result = file_create(path, buf_span(&bytes), 0644, f);
        free(path);
        free(folder);
        buf_free(&bytes);
    }
    return result;
}

enum outcome host_follow(struct host *h, const struct message *m, struct fault *f)
{
    struct span lines = {NULL, 0};
    enum outcome result = OK;

    if (h->broken)
        return fault_set(f, E_REFUSED, "a message was refused half way: open the host's record again");
    result = message_fits(h, m, f);
    if (result != OK || !m->has_log)
        return result;
    h->follower->message = m;
    result = lines_compare(h, m, &lines, f);
    if (result == OK) {
        h->broken = true;
        result = log_copy_extend(h->copy->log, lines, m->note, f);
    }
    if (result == OK && !digest_equal(&h->copy->state.estate, &h->own->state.host->estate))
        result = fault_set(f, E_REFUSED, "the message brings the log of another estate");
    if (result == OK)
        result = files_keep(h, m, f);
    if (result == OK)
        result = log_copy_keep(h->copy->log, m->note, f);
    h->follower->message = NULL;
    if (result == OK) {
        const struct policy *policy = NULL;

        h->follower->known = h->copy->state.size;
        result = follower_policy(h->follower, &policy, f);
    }
    h->broken = result != OK;
    return result;
}

enum outcome host_examine(const struct message *m, struct estate **ret, struct note_key *ret_key, struct fault *f)
{
    struct follower w = {.message = m};
    struct entry genesis = {.json = NULL};
    const struct policy *policy = NULL;
    const char *vkey = NULL;
    const uint8_t *newline = m->entries.len != 0 ? memchr(m->entries.data, '\n', m->entries.len) : NULL;
    enum outcome result = copy_make(NULL, &w.copy, f);

    if (result == OK && (m->from != 0 || newline == NULL))
        result = fault_set(f, E_INVALID,
                           "the message does not bring the host's log from its beginning: have it made "
                           "with --from 0");
    if (result == OK)
        result = entry_parse(span_of(m->entries.data, (size_t)(newline - m->entries.data)), &genesis, f);
    if (result == OK)
        result = json_want_string(genesis.body, "log-key", &vkey, f);
    if (result == OK)
        result = note_key_parse(vkey, ret_key, f);
    if (result == OK)
        result = log_verify_bytes(m->entries, m->note, ret_key, follower_visit, &w, f);
    if (result == OK && !digest_equal(&w.copy->state.estate, &m->estate))
        result = fault_set(f, E_REFUSED, "the message names another estate than its log");
    if (result == OK)
        result = w.copy->state.policy_version != 0
                     ? follower_policy(&w, &policy, f)
                     : fault_set(f, E_REFUSED, "no policy is in force at the host yet: adopt one there first");
    if (result == OK) {
        *ret = w.copy;
        w.copy = NULL; /* taken by the caller */
    }
    entry_clear(&genesis);
    estate_close(w.copy);
    follower_clear(&w);
    return result;
}

bool host_seen_put(const struct host *h, json_t *body)
{
    struct digest root;

    log_root(h->copy->log, &root);
    return json_put_digest(body, "root", &root) && json_put_integer(body, "size", (int64_t)log_size(h->copy->log));
}
