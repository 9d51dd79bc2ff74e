#include "ceremony/run_close.h"

#include <stdlib.h>
#include <string.h>

#include "ceremony/cosign_collect.h"
#include "ceremony/heads.h"
#include "ceremony/run_cosign.h"
#include "ceremony/run_talk.h"
#include "core/encode.h"
#include "core/file.h"
#include "core/limits.h"

static enum outcome checkpoint_keep(const struct estate *e, const char *ceremony, struct fault *f)
{
    struct buf note = BUF(LIMIT_NOTE);
    char *folder = estate_path(e, "ceremonies", ceremony), *path = NULL;
    enum outcome o = OK;

    path = folder != NULL ? path_join(folder, "checkpoint") : NULL;
    o = path != NULL ? log_checkpoint_bytes(e->log, &note, f) : fault_memory(f);
    if (o == OK)
        o = file_replace(path, buf_span(&note), 0644, f);
    free(path);
    free(folder);
    buf_free(&note);
    return o;
}

/* Nobody appends between the last entry and its checkpoint. */
static enum outcome closed_log(struct runner *r, const json_t *body, struct fault *f)
{
    struct estate *e = r->estate;
    enum outcome o = log_begin(e->log, f);

    if (o != OK)
        return o;
    o = log_append(e->log, ENTRY_CEREMONY_CLOSED, e->ceremony, body, NULL, f);
    if (o == OK)
        o = checkpoint_keep(e, e->ceremony, f);
    log_end(e->log);
    return o;
}

static enum outcome closed_tell(const struct runner *r, size_t deviations, struct fault *f)
{
    struct buf b = BUF(OUTPUT_MAX);
    struct digest root;
    enum outcome o = OK;

    log_root(r->estate->log, &root);
    buf_puts(&b, "\nCeremony ");
    print_text(&b, r->estate->ceremony);
    buf_puts(&b, ": ");
    print_toned(&b, TONE_GOOD, "closed");
    buf_puts(&b, "\n");
    print_field(&b, "steps", "%zu", r->script->step_count);
    print_field(&b, "deviations", "%zu", deviations);
    print_field(&b, "log size", "%llu", (unsigned long long)log_size(r->estate->log));
    print_field(&b, "log root", "%s", digest_hex(&root).hex);
    print_words(&b, &root);
    print_field(&b, "next", "quorate transcript %s DIR", r->estate->ceremony);
    o = print_out(&b, f);
    buf_free(&b);
    return o;
}

/* Where the policy wants the closing checkpoint cosigned, whoever can be reached is asked at once. Who cannot is told, and is
 * no fault: the ceremony is closed. */
static enum outcome closing_cosign(const struct runner *r, struct fault *f)
{
    struct estate *e = r->estate;
    char *ceremony = e->ceremony;
    struct buf b = BUF(OUTPUT_MAX);
    json_t *body = NULL;
    enum outcome o = OK;

    if (e->policy == NULL || !e->policy->cosigners.closing)
        return OK;
    e->ceremony = NULL; /* what follows the close is none of its entries */
    o = cosign_collect_closing(e, ceremony, &body, f);
    if (o == OK)
        o = estate_append(e, ENTRY_COSIGNED, body, NULL, f);
    if (o == OK)
        o = cosign_collected(e, f);
    e->ceremony = ceremony;
    if (o == E_PENDING) {
        print_field(&b, "cosigners", "%s", f->text);
        print_field(&b, "then", "quorate cosign collect --ceremony %s", ceremony);
        o = print_out(&b, f);
    }
    json_decref(body);
    buf_free(&b);
    return o;
}

enum outcome ceremony_close(struct runner *r, struct fault *f)
{
    size_t deviations = record_deviation_count(&r->record);
    json_t *body = json_object(), *answer = NULL;
    bool good = json_put_string(body, "ceremony", r->estate->ceremony) &&
                json_put_integer(body, "deviations", (int64_t)deviations) &&
                json_put_integer(body, "steps", (int64_t)r->script->step_count);
    enum outcome o = good ? close_cosigned(r, f) : fault_memory(f);

    if (o == OK)
        o = closed_log(r, body, f);
    json_decref(body);
    if (o == OK)
        o = client_call(r->client, "ceremony", json_object(), &answer, f);
    json_decref(answer);
    if (o == OK)
        o = closed_tell(r, deviations, f);
    if (o == OK)
        o = closing_cosign(r, f);
    if (o == OK)
        heads_bring(r->client);
    return o;
}

enum outcome ceremony_mend(struct estate *e, const char *script, char **ret_id, struct fault *f)
{
    const struct state_ceremony *last = NULL;
    struct buf bytes = BUF(LIMIT_ENTRY);
    struct entry entry = {0};
    char *folder = NULL, *path = NULL, *id = NULL;
    enum outcome o = OK;

    for (size_t i = 0; i < e->state.ceremony_count; i++) {
        if (strcmp(e->state.ceremonies[i].script, script) == 0)
            last = &e->state.ceremonies[i];
    }
    if (last == NULL || !last->closed)
        return OK;
    folder = estate_path(e, "ceremonies", last->id);
    path = folder != NULL ? path_join(folder, "checkpoint") : NULL;
    if (path == NULL) {
        o = fault_memory(f);
        goto out;
    }
    if (file_exists(path))
        goto out;
    o = log_entry_bytes(e->log, log_size(e->log) - 1, &bytes, f);
    if (o == OK)
        o = entry_parse(buf_span(&bytes), &entry, f);
    if (o == OK &&
        (entry.type != ENTRY_CEREMONY_CLOSED || entry.ceremony == NULL || strcmp(entry.ceremony, last->id) != 0))
        o = fault_set(f, E_REFUSED,
                      "ceremony %s was closed, but the checkpoint of its close is not in %s, and the log has "
                      "grown since: restore that file from a copy of the home",
                      last->id, path);
    if (o == OK && (id = strdup(last->id)) == NULL)
        o = fault_memory(f);
    if (o == OK)
        o = checkpoint_keep(e, last->id, f);
    if (o == OK) {
        *ret_id = id;
        id = NULL; /* the caller's */
    }
out:
    free(id);
    free(path);
    free(folder);
    entry_clear(&entry);
    buf_free(&bytes);
    return o;
}
