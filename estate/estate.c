#include "estate/estate.h"
#include "estate/serving.h"

#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "core/limits.h"
#include "core/mirror.h"
#include "estate/mirrors.h"
#include "estate/snapshot.h"

static const char *const home_folders[] = {"log",       "policies",   "people",  "requests", "offers",
                                           "receipts",  "births",     "scripts", "bindings", "profiles",
                                           "artifacts", "ceremonies", NULL};

char *estate_path(const struct estate *e, const char *folder, const char *name)
{
    char *inner = NULL, *path = NULL;

    if (folder == NULL)
        return path_join(e->bindings->home, name != NULL ? name : ".");
    inner = path_join(e->bindings->home, folder);
    if (inner == NULL || name == NULL)
        return inner;
    path = path_join(inner, name);
    free(inner);
    return path;
}

static enum outcome home_make(const struct bindings *b, struct fault *f)
{
    enum outcome result = folder_make(b->home, 0700, f);

    for (size_t i = 0; result == OK && home_folders[i] != NULL; i++) {
        char *path = path_join(b->home, home_folders[i]);

        result = path != NULL ? folder_make(path, 0700, f) : fault_memory(f);
        free(path);
    }
    return result;
}

/* name: under which its findings speak of it. */
static enum outcome policy_load(const char *path, const char *name, struct policy **ret, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_DOCUMENT);
    enum outcome result = file_read(path, true, &bytes, f);

    if (result == OK)
        result = policy_parse(name, buf_span(&bytes), ret, f);
    buf_free(&bytes);
    return result;
}

/* A C2SP origin: a name nobody else has, without a scheme, blanks or '+'. */
static enum outcome origin_make(const struct policy *p, const char *environment, struct buf *ret, struct fault *f)
{
    uint8_t chance[4];

    if (!random_bytes(chance, sizeof chance))
        return fault_set(f, E_IO, "no random bytes from libcrypto");
    buf_putf(ret, "%s.%s.quorate/", p->name, environment);
    hex_put(ret, (struct span){chance, sizeof chance});
    return ret->failed ? fault_memory(f) : OK;
}

enum outcome estate_create(const char *bindings_path, const char *environment, const char *origin, struct fault *f)
{
    enum outcome result = E_INVALID;
    struct bindings *bindings = NULL;
    struct policy *policy = NULL;
    struct buf name = BUF(255);
    char *folder = NULL;
    json_t *genesis = NULL;
    bool watched = false;

    if (strcmp(environment, "production") != 0 && strcmp(environment, "test") != 0 &&
        strcmp(environment, "rehearsal") != 0)
        return fault_set(f, E_INVALID, "environment \"%s\": expected production, test or rehearsal", environment);
    result = bindings_load(bindings_path, &bindings, f);
    if (result != OK)
        goto out;
    result = policy_load(bindings->policy, bindings->policy, &policy, f);
    if (result != OK)
        goto out;
    if (origin == NULL) {
        result = origin_make(policy, environment, &name, f);
        if (result != OK)
            goto out;
        origin = buf_str(&name);
    }
    result = mirrors_make(bindings, f);
    if (result == OK)
        result = mirror_watch(bindings->home, &bindings->mirrors, NULL, f);
    if (result != OK)
        goto out;
    watched = true;
    result = home_make(bindings, f);
    if (result != OK)
        goto out;
    folder = path_join(bindings->home, "log");
    genesis = json_object();
    if (folder == NULL || !json_put_string(genesis, "environment", environment) ||
        !json_put_string(genesis, "name", policy->name) || !json_put_digest(genesis, "policy", &policy->digest)) {
        result = fault_memory(f);
        goto out;
    }
    result = log_create(folder, origin, genesis, f);
    if (result == E_BUSY)
        fault_context(f, "%s holds an estate already; a second one needs a home of its own", bindings->home);
out:
    if (watched)
        mirror_unwatch(bindings->home);
    json_decref(genesis);
    free(folder);
    buf_free(&name);
    policy_free(policy);
    bindings_free(bindings);
    return result;
}

static enum outcome estate_visit(void *context, const struct entry *entry, struct fault *f)
{
    struct estate *e = context;

    return state_apply(&e->state, entry, f);
}

/* The bindings' file is the policy in force, byte for byte: what people know it by. */
static bool policy_at_hand(const struct estate *e)
{
    struct buf bytes = BUF(LIMIT_DOCUMENT);
    struct fault ignored = {OK, ""};
    struct digest digest;
    bool same = file_read(e->bindings->policy, true, &bytes, &ignored) == OK && digest_one(&digest, buf_span(&bytes)) &&
                digest_equal(&digest, &e->state.policy);

    buf_free(&bytes);
    return same;
}

/* Loads the policy that the log says is in force, where that is not the one at hand. */
static enum outcome policy_read(struct estate *e, struct fault *f)
{
    enum outcome result = OK;
    struct policy *policy = NULL;
    char name[80], *path = NULL;

    if (e->state.policy_version == 0 || (e->policy != NULL && digest_equal(&e->policy->digest, &e->state.policy)))
        return OK;
    snprintf(name, sizeof name, "%s.yaml", digest_hex(&e->state.policy).hex);
    path = estate_path(e, "policies", name);
    if (path == NULL)
        return fault_memory(f);
    result = policy_load(path, policy_at_hand(e) ? e->bindings->policy : path, &policy, f);
    if (result == OK && !digest_equal(&policy->digest, &e->state.policy))
        result = fault_set(f, E_REFUSED, "%s is not the policy that the log has in force (digest %s): restore it", path,
                           digest_hex(&e->state.policy).hex);
    if (result == OK) {
        policy_free(e->policy);
        e->policy = policy;
        policy = NULL; /* taken by the estate */
    }
    policy_free(policy);
    free(path);
    return result;
}

static enum outcome policy_follow(struct estate *e, struct fault *f)
{
    enum outcome result = policy_read(e, f);

    if (result == OK && e->policy != NULL)
        promotions_apply(e->policy, &e->state);
    return result;
}

/* Nothing is written that would make the log unreadable to its own fold. */
static enum outcome estate_admit(void *context, const struct entry *entry, struct fault *f)
{
    const struct estate *e = context;

    return state_check(&e->state, entry, f);
}

enum outcome estate_open(const char *given, struct estate **ret, struct fault *f)
{
    enum outcome result = E_MEMORY;
    struct estate *e = calloc(1, sizeof *e);
    char *folder = NULL;

    if (e == NULL)
        return fault_memory(f);
    state_init(&e->state);
    result = bindings_load(given, &e->bindings, f);
    if (result != OK)
        goto out;
    folder = estate_path(e, "log", NULL);
    if (folder == NULL) {
        result = fault_memory(f);
        goto out;
    }
    if (snapshot_open(e, folder, estate_visit, f) != OK)
        result = log_open(folder, estate_visit, e, &e->log, f);
    if (result == E_ABSENT)
        fault_set(f, E_ABSENT, "%s holds no estate yet: run `quorate init`", e->bindings->home);
    if (result != OK)
        goto out;
    log_set_check(e->log, estate_admit, e);
    result = mirrors_open(e, f);
    if (result == OK)
        result = policy_follow(e, f);
    if (result != OK)
        goto out;
    snapshot_keep(e);
    *ret = e;
    e = NULL; /* taken by the caller */
out:
    free(folder);
    estate_close(e);
    return result;
}

void estate_close(struct estate *e)
{
    if (e == NULL)
        return;
    snapshot_keep(e);
    log_close(e->log);
    mirrors_close(e);
    state_clear(&e->state);
    policy_free(e->policy);
    policy_free(e->candidate);
    bindings_free(e->bindings);
    free(e->ceremony);
    free(e);
}

enum outcome estate_refresh(struct estate *e, struct fault *f)
{
    enum outcome result = log_refresh(e->log, f);

    return result == OK ? policy_follow(e, f) : result;
}

enum outcome estate_policy_in_force(struct estate *e, struct fault *f)
{
    enum outcome result = OK;
    struct buf bytes = BUF(LIMIT_DOCUMENT);
    struct digest at_hand;

    if (e->policy == NULL)
        return fault_set(f, E_ABSENT, "no policy is in force yet: run `quorate policy adopt %s`", e->bindings->policy);
    result = file_read(e->bindings->policy, true, &bytes, f);
    if (result == OK && !digest_one(&at_hand, buf_span(&bytes)))
        result = fault_set(f, E_IO, "libcrypto does not hash");
    if (result == OK && !digest_equal(&at_hand, &e->policy->digest))
        result = fault_set(f, E_REFUSED,
                           "%s has the digest %s, but the policy in force is %s (version %u): put that file back, or "
                           "adopt the new one with `quorate policy adopt`",
                           e->bindings->policy, digest_hex(&at_hand).hex, digest_hex(&e->policy->digest).hex,
                           e->policy->version);
    buf_free(&bytes);
    return result;
}

enum outcome estate_append_as(struct estate *e, enum entry_type type, const char *class, const json_t *body,
                              uint64_t *ret_seq, struct fault *f)
{
    enum outcome result = log_begin(e->log, f);

    if (result != OK)
        return result;
    result = policy_follow(e, f); /* others may have adopted one before the lock was ours */
    if (result == OK && class == NULL && e->policy != NULL)
        class = classes_get(&e->policy->confidential, entry_type_name(type));
    if (result == OK)
        result = class != NULL && class[0] != '\0'
                     ? log_append_confidential(e->log, type, class, e->ceremony, body, ret_seq, f)
                     : log_append(e->log, type, e->ceremony, body, ret_seq, f);
    log_end(e->log);
    return result == OK ? policy_follow(e, f) : result;
}

enum outcome estate_append(struct estate *e, enum entry_type type, const json_t *body, uint64_t *ret_seq,
                           struct fault *f)
{
    return estate_append_as(e, type, NULL, body, ret_seq, f);
}

static char *kept_path(const struct estate *e, const char *folder, const char *suffix, const struct digest *digest)
{
    char name[96];

    snprintf(name, sizeof name, "%s%s", digest_hex(digest).hex, suffix);
    return estate_path(e, folder, name);
}

enum outcome estate_keep(const struct estate *e, const char *folder, const char *suffix, struct span bytes,
                         struct digest *ret, struct fault *f)
{
    enum outcome result = E_MEMORY;
    struct digest digest;
    char *path = NULL;

    if (!digest_one(&digest, bytes))
        return fault_set(f, E_IO, "libcrypto does not hash");
    path = kept_path(e, folder, suffix, &digest);
    if (path == NULL)
        return fault_memory(f);
    result = file_create(path, bytes, 0644, f);
    if (result == E_BUSY)
        result = OK; /* there by its digest: the same */
    if (result == OK)
        *ret = digest;
    free(path);
    return result;
}

enum outcome estate_kept(const struct estate *e, const char *folder, const char *suffix, const struct digest *digest,
                         struct buf *ret, struct fault *f)
{
    enum outcome result = E_MEMORY;
    struct digest found;
    char *path = kept_path(e, folder, suffix, digest);

    if (path == NULL)
        return fault_memory(f);
    result = file_read(path, true, ret, f);
    if (result == OK && (!digest_one(&found, buf_span(ret)) || !digest_equal(&found, digest))) {
        buf_clear(ret);
        result = fault_set(f, E_REFUSED, "%s was altered: its digest is not its name", path);
    }
    free(path);
    return result;
}

void estate_key_id(const struct digest *intent, char ret_hex[41])
{
    struct digest id = {{0}};

    digest_of(&id, 2, span_str("quorate key id v1\n"), (struct span){intent->bytes, sizeof intent->bytes});
    memcpy(ret_hex, digest_hex(&id).hex, 40);
    ret_hex[40] = '\0';
}
