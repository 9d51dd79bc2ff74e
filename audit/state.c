#include "audit/state.h"

#include <stdlib.h>
#include <string.h>

void state_init(struct state *s)
{
    *s = (struct state){.started = false};
}

static void site_clear(struct state_site *s)
{
    free(s->token);
    free(s->site);
    free(s->serial);
    free(s->manufacturer);
    free(s->model);
    free(s->firmware);
    free(s->hardware);
    buf_free(&s->identity);
    buf_free(&s->transport);
    free(s->identity_id);
    free(s->transport_id);
    free(s->latitude);
    free(s->longitude);
    free(s->country);
    free(s->place);
    free(s->bag);
    strings_free(&s->tags);
    strings_free(&s->pardoned);
}

static void request_clear(struct state_request *r)
{
    for (size_t i = 0; i < r->vote_count; i++) {
        free(r->votes[i].person);
        free(r->votes[i].reason);
    }
    free(r->votes);
    free(r->operation);
    free(r->token);
    free(r->label);
    free(r->rule);
    free(r->why);
}

static void intent_clear(struct state_intent *i)
{
    for (size_t n = 0; n < i->offer_count; n++)
        free(i->offers[n].site);
    free(i->offers);
    free(i->operation);
    free(i->token);
    free(i->label);
    json_decref(i->body);
    strings_free(&i->offered);
    strings_free(&i->receipted);
    strings_free(&i->orphans);
}

static void key_clear(struct state_key *k)
{
    free(k->token);
    free(k->label);
    free(k->type);
    free(k->class_name);
    free(k->id);
    buf_free(&k->public_key);
    strings_free(&k->sites);
    strings_free(&k->retired);
}

static void host_clear(struct state_host *h)
{
    if (!h)
        return;
    free(h->environment);
    free(h->origin);
    free(h->log_key);
    free(h->token);
    free(h->site);
    free(h->identity_id);
    free(h->transport_id);
    free(h->transport_before_id);
    buf_free(&h->transport_before);
    buf_free(&h->identity);
    buf_free(&h->transport);
    free(h);
}

static void token_clear(struct state_token *t)
{
    free(t->token);
    free(t->promoted);
    free(t->serving);
    free(t->serving_reason);
}

void state_clear(struct state *s)
{
    host_clear(s->host);
    free(s->taken);
    for (size_t i = 0; i < s->site_count; i++)
        site_clear(&s->sites[i]);
    for (size_t i = 0; i < s->request_count; i++)
        request_clear(&s->requests[i]);
    for (size_t i = 0; i < s->intent_count; i++)
        intent_clear(&s->intents[i]);
    for (size_t i = 0; i < s->key_count; i++)
        key_clear(&s->keys[i]);
    for (size_t i = 0; i < s->awaited_count; i++)
        key_clear(&s->awaited[i]);
    free(s->awaited);
    for (size_t i = 0; i < s->cosigned_count; i++)
        strings_free(&s->cosigned[i].lines);
    free(s->cosigned);
    for (size_t i = 0; i < s->move_count; i++)
        free(s->moves[i].before);
    free(s->moves);
    for (size_t i = 0; i < s->token_count; i++)
        token_clear(&s->tokens[i]);
    free(s->tokens);
    for (size_t i = 0; i < s->suspension_count; i++)
        free(s->suspensions[i].scope);
    for (size_t i = 0; i < s->ceremony_count; i++) {
        free(s->ceremonies[i].id);
        free(s->ceremonies[i].script);
    }
    free(s->sites);
    free(s->requests);
    free(s->intents);
    free(s->keys);
    free(s->suspensions);
    free(s->ceremonies);
    free(s->refused);
    map_clear(&s->request_index);
    map_clear(&s->refused_index);
    free(s->environment);
    free(s->origin);
    free(s->name);
    state_init(s);
}

struct state_site *state_site(const struct state *s, const char *token, const char *site)
{
    for (size_t i = s->site_count; i-- > 0;)
        if (!s->sites[i].retired && !strcmp(s->sites[i].token, token) && !strcmp(s->sites[i].site, site))
            return &s->sites[i];
    return NULL;
}

const struct state_site *state_site_of_id(const struct state *s, const char *token, const char *id_hex)
{
    for (size_t i = 0; i < s->site_count; i++)
        if (!strcmp(s->sites[i].token, token) &&
            (!strcmp(s->sites[i].identity_id, id_hex) || !strcmp(s->sites[i].transport_id, id_hex)))
            return &s->sites[i];
    return NULL;
}

const struct state_site *state_site_retired(const struct state *s, const char *token, const char *site)
{
    for (size_t i = s->site_count; i-- > 0;)
        if (s->sites[i].retired && !strcmp(s->sites[i].token, token) && !strcmp(s->sites[i].site, site))
            return &s->sites[i];
    return NULL;
}

const struct state_site *state_site_before(const struct state *s, const char *token, const char *site, uint64_t seq)
{
    for (size_t i = s->site_count; i-- > 0;)
        if (s->sites[i].seq < seq && !strcmp(s->sites[i].token, token) && !strcmp(s->sites[i].site, site))
            return &s->sites[i];
    return NULL;
}

bool state_site_gone(const struct state *s, const char *token, const char *site, uint64_t seq)
{
    const struct state_site *then = state_site_before(s, token, site, seq);
    return then && then->retired;
}

struct state_token *state_token(const struct state *s, const char *token)
{
    for (size_t i = 0; i < s->token_count; i++)
        if (!strcmp(s->tokens[i].token, token))
            return &s->tokens[i];
    return NULL;
}

struct state_request *state_request(const struct state *s, const struct digest *id)
{
    size_t at = 0;
    return map_get(&s->request_index, id, &at) ? &s->requests[at] : NULL;
}

struct state_request *state_request_by_subject(const struct state *s, const struct digest *subject)
{
    for (size_t i = s->request_count; i-- > 0;) {
        struct state_request *r = &s->requests[i];
        if ((r->state == REQUEST_PENDING || r->state == REQUEST_INTENT) && digest_equal(&r->subject, subject))
            return r;
    }
    return NULL;
}

struct state_intent *state_intent(const struct state *s, uint64_t seq)
{
    size_t low = 0, high = s->intent_count; /* in the order of seq */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->intents[middle].seq == seq)
            return &s->intents[middle];
        if (s->intents[middle].seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

struct state_intent *state_intent_named(const struct state *s, const struct digest *entry)
{
    for (size_t i = s->intent_count; i-- > 0;)
        if (digest_equal(&s->intents[i].digest, entry))
            return &s->intents[i];
    return NULL;
}

bool state_intent_plain(const struct state_intent *i)
{
    return json_object_get(i->body, "plain") != NULL;
}

struct state_key *state_key(const struct state *s, const char *token, const char *class_name, const char *id_hex,
                            const char *label)
{
    for (size_t i = s->key_count; i-- > 0;) {
        struct state_key *k = &s->keys[i];
        if (!k->destroyed && !strcmp(k->id, id_hex) && !strcmp(k->token, token) && !strcmp(k->class_name, class_name) &&
            (!label || !strcmp(k->label, label)))
            return k;
    }
    return NULL;
}

const char *state_intent_ceremony(const struct state_intent *i)
{
    return json_string_or_null(json_object_get(i->body, "evidence"), "ceremony");
}

struct state_key *state_key_awaited(const struct state *s, uint64_t intent)
{
    for (size_t i = s->awaited_count; i-- > 0;)
        if (s->awaited[i].intent == intent)
            return &s->awaited[i];
    return NULL;
}

struct state_key *state_key_ever(const struct state *s, uint64_t seq)
{
    size_t low = 0, high = s->key_count; /* in the order of seq */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->keys[middle].seq == seq)
            return &s->keys[middle];
        if (s->keys[middle].seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

struct state_key *state_key_born(const struct state *s, uint64_t seq)
{
    struct state_key *k = state_key_ever(s, seq);
    return k != NULL && !k->destroyed ? k : NULL;
}

const struct state_key *state_key_held(const struct state *s, const char *token, const char *label, const char *site)
{
    const struct state_key *found = NULL;
    for (size_t i = 0; i < s->key_count; i++) {
        if (s->keys[i].destroyed || strcmp(s->keys[i].token, token) != 0 || strcmp(s->keys[i].label, label) != 0)
            continue;
        if (found)
            return NULL;
        found = &s->keys[i];
    }
    return found && state_key_at(found, token, site) ? found : NULL;
}

bool state_key_at(const struct state_key *k, const char *token, const char *site)
{
    return !k->destroyed && !strcmp(k->token, token) && strings_have(&k->sites, site);
}

bool state_key_left_at(const struct state *s, const struct state_key *k, const char *site)
{
    const struct state_site *now = state_site(s, k->token, site);
    size_t retired = 0;
    if (!strings_have(&k->retired, site))
        return false;
    for (size_t i = 0; now && i < s->site_count; i++) {
        const struct state_site *then = &s->sites[i];
        bool here = then->retired && !strcmp(then->token, k->token) && !strcmp(then->site, site);
        if (here && !strcmp(then->serial, now->serial))
            return true;
        retired += here;
    }
    return retired == 0;
}

struct state_taken *state_taken(const struct state *s, const struct digest *intent)
{
    for (size_t i = s->taken_count; i-- > 0;)
        if (digest_equal(&s->taken[i].intent, intent))
            return &s->taken[i];
    return NULL;
}

struct state_taken *state_taken_offer(const struct state *s, const struct digest *offer)
{
    for (size_t i = s->taken_count; i-- > 0;)
        if (digest_equal(&s->taken[i].offer, offer))
            return &s->taken[i];
    return NULL;
}

const char *state_origin_at(const struct state *s, uint64_t size)
{
    for (size_t i = 0; i < s->move_count; i++)
        if (size < s->moves[i].from)
            return s->moves[i].before;
    return s->origin;
}

bool state_was_refused(const struct state *s, const struct digest *subject)
{
    size_t at = 0;
    return map_get(&s->refused_index, subject, &at);
}

/* "key:LABEL@TOKEN": a label may hold '@', a token's id does not. */
static bool scope_is_key(const char *scope, const char *token, const char *label)
{
    const char *name = scope + strlen("key:"), *at = strrchr(name, '@');
    return at && !strcmp(at + 1, token) && strlen(label) == (size_t)(at - name) &&
           !memcmp(name, label, (size_t)(at - name));
}

bool state_suspended(const struct state *s, const char *token, const char *label)
{
    for (size_t i = 0; i < s->suspension_count; i++) {
        const char *scope = s->suspensions[i].scope;
        if (!strcmp(scope, "estate"))
            return true;
        if (token && !strncmp(scope, "token:", 6) && !strcmp(scope + 6, token))
            return true;
        if (token && label && !strncmp(scope, "key:", 4) && scope_is_key(scope, token, label))
            return true;
    }
    return false;
}
