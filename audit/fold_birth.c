#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/fold.h"
#include "core/limits.h"

static bool is_vote(const struct state_request *r, uint64_t seq, bool rejection)
{
    for (size_t i = 0; i < r->vote_count; i++)
        if (r->votes[i].seq == seq && r->votes[i].rejection == rejection)
            return true;
    return false;
}

static void check_votes(struct fold *x, const struct state_request *r, const char *name, bool rejection)
{
    json_t *list = NULL, *item;
    size_t i;
    int64_t before = -1;
    if (!x->rc)
        x->rc = json_want_array(x->body, name, &list, x->f);
    if (x->rc)
        return;
    json_array_foreach(list, i, item)
    {
        int64_t seq = json_is_integer(item) ? json_integer_value(item) : -1;
        if (seq <= before || !is_vote(r, (uint64_t)seq, rejection))
            fold_fail(x, "its %s are not the rising numbers of votes on its request", name);
        before = seq;
    }
}

/* Member "evidence": what the verdict rests on. */
static void check_evidence(struct fold *x, const struct state_request *r)
{
    json_t *outer = x->body;
    if (!x->rc)
        x->rc = json_want_object(outer, "evidence", &x->body, x->f);
    fold_members(x, "approvals at ?ceremony rejections ?step");
    if (fold_moment(x, "at") > x->e->time)
        fold_fail(x, "its verdict is for a time to come");
    fold_optional(x, "ceremony");
    fold_optional(x, "step");
    if (r) {
        check_votes(x, r, "approvals", false);
        check_votes(x, r, "rejections", true);
    }
    x->body = outer;
}

static bool same(const char *a, const char *b)
{
    return !strcmp(a ? a : "", b ? b : "");
}

/* Nobody approved this birth; whether a rule plainly allows it is for others to say. */
static void check_plain(struct fold *x, const char *operation)
{
    static const char *const births[] = {"generate", "import", "derive", "copy"};
    const char *plain = fold_text(x, "plain");
    bool birth = false;
    for (size_t i = 0; operation && i < sizeof births / sizeof *births; i++)
        birth = birth || !strcmp(operation, births[i]);
    if (!birth || (plain && strcmp(plain, "true") != 0) || fold_has(x, "type") ||
        json_array_size(json_object_get(x->body, "sites")) != 1)
        fold_fail(x, "it is no birth that a rule could plainly allow");
}

/* Sites whose receipts are to come later, once the key is made; NULL: none, or the log is older than that member. */
static const json_t *later_of(const struct state_intent *i)
{
    return json_object_get(i->body, "later");
}

static bool is_later(const struct state_intent *i, const char *site)
{
    size_t n = 0;
    json_t *item = NULL;
    json_array_foreach(later_of(i), n, item)
    {
        if (!strcmp(json_string_value(item), site))
            return true;
    }
    return false;
}

static void check_later(struct fold *x, const char *operation)
{
    struct strings later = {.items = NULL}, sites = {.items = NULL};
    fold_strings(x, "later", &later);
    fold_strings(x, "sites", &sites);
    if ((strcmp(operation, "generate") != 0 && strcmp(operation, "replicate") != 0) || later.count == 0)
        fold_fail(x, "no receipt of it can come later");
    for (size_t n = 0; n < later.count; n++)
        if (!strings_have(&sites, later.items[n]) || !strcmp(sites.items[0], later.items[n]))
            fold_fail(x, "the site \"%s\" is no replica of it, and is to answer later", later.items[n]);
    strings_free(&later);
    strings_free(&sites);
}

void fold_intent(struct fold *x)
{
    const char *operation = fold_text(x, "operation");
    const char *token = fold_optional(x, "token"), *label = fold_optional(x, "label");
    fold_verdict(x);
    moment until = fold_retirement_until(x, operation);
    if (fold_has(x, "later"))
        check_later(x, operation);
    struct state_request *r = fold_live_request(x, operation);
    check_evidence(x, r);
    if (r && r->state != REQUEST_PENDING)
        fold_fail(x, "the request is being carried out already");
    if (r && (!same(r->token, token) || !same(r->label, label)))
        fold_fail(x, "the request was for another token or label");
    if (fold_has(x, "plain"))
        check_plain(x, operation);
    if (!fold_goes(x))
        return;
    struct state *s = x->s;
    struct state_intent *items = fold_room(x, s->intents, s->intent_count, sizeof *items);
    if (!items)
        return;
    s->intents = items;
    items[s->intent_count++] = (struct state_intent){
        .seq = x->e->seq,
        .digest = x->e->digest,
        .request = r->id,
        .operation = fold_copy(x, operation),
        .token = fold_copy(x, token),
        .label = fold_copy(x, label),
        .state = INTENT_OPEN,
        .at = x->e->time,
        .until = until,
        .body = json_deep_copy(x->e->body), /* the entry's may be that of who appends */
    };
    if (!items[s->intent_count - 1].body)
        fold_memory(x);
    r->state = REQUEST_INTENT;
    r->intent = x->e->seq;
}

/* The intent that member "intent" names. NULL after a fault. */
static struct state_intent *want_intent(struct fold *x)
{
    uint64_t seq = fold_count(x, "intent");
    struct state_intent *i = x->rc ? NULL : state_intent(x->look, seq);
    if (!i)
        fold_fail(x, "entry %" PRIu64 " is no intent", seq);
    return i;
}

static struct state_offer *find_offer(const struct state_intent *i, const char *site, const struct digest *offer)
{
    for (size_t n = 0; n < i->offer_count; n++)
        if (!strcmp(i->offers[n].site, site) && digest_equal(&i->offers[n].offer, offer))
            return &i->offers[n];
    return NULL;
}

void fold_offer(struct fold *x)
{
    fold_members(x, "attributes-digest blobs challenge intent mechanism offer ?public-key site");
    static const char *const digests[] = {"attributes-digest", "blobs", "challenge"};
    for (size_t n = 0; n < sizeof digests / sizeof *digests; n++)
        fold_digest(x, digests[n]);
    struct digest offer = fold_digest(x, "offer");
    const char *site = fold_text(x, "site");
    fold_text(x, "mechanism");
    if (fold_has(x, "public-key"))
        fold_text(x, "public-key");
    struct state_intent *i = want_intent(x);
    if (i && i->state != INTENT_OPEN)
        fold_fail(x, "its intent is closed");
    if (i)
        fold_site(x, i->token ? i->token : "", site);
    if (i && find_offer(i, site, &offer))
        fold_fail(x, "this offer is in the log already");
    if (!fold_goes(x))
        return;
    struct state_offer *items = fold_room(x, i->offers, i->offer_count, sizeof *items);
    if (!items)
        return;
    i->offers = items;
    items[i->offer_count++] = (struct state_offer){.site = fold_copy(x, site), .offer = offer};
    fold_site_add(x, &i->offered, site);
}

void fold_receipt(struct fold *x)
{
    fold_members(x, "intent offer receipt site");
    struct digest offer = fold_digest(x, "offer");
    const char *site = fold_text(x, "site");
    fold_digest(x, "receipt");
    struct state_intent *i = want_intent(x);
    struct state_offer *o = i ? find_offer(i, site, &offer) : NULL;
    if (i && i->state != INTENT_OPEN && i->state != INTENT_BORN && i->state != INTENT_PROVISIONAL)
        fold_fail(x, "its intent is closed");
    if (i && is_later(i, site) && (i->state == INTENT_OPEN || x->e->time > i->until))
        fold_fail(x, "the site \"%s\" answered %s", site,
                  i->state == INTENT_OPEN ? "before the key was provisional" : "too late");
    if (!o || o->answered)
        fold_fail(x, "no offer to the site \"%s\" waits for this receipt", site);
    if (!fold_goes(x) || !o)
        return;
    o->answered = true;
    fold_site_add(x, &i->receipted, site);
}

static bool same_sites(const json_t *later, const struct strings *sites)
{
    size_t n = 0;
    json_t *item = NULL;
    json_array_foreach(later, n, item)
    {
        if (!strings_have(sites, json_string_value(item)))
            return false;
    }
    return json_array_size(later) == sites->count;
}

/* The key stands at the primary alone; class and type are the intent's. */
static void keep_awaited(struct fold *x, const struct state_intent *i, struct state_key *k)
{
    const char *primary = json_string_value(json_array_get(json_object_get(i->body, "sites"), 0));
    struct state_key *items = fold_room(x, x->s->awaited, x->s->awaited_count, sizeof *items);
    if (!items)
        return;
    x->s->awaited = items;
    k->token = fold_copy(x, i->token);
    k->label = fold_copy(x, i->label ? i->label : "");
    k->type = fold_copy(x, json_string_or_null(i->body, "type"));
    k->class_name = fold_copy(x, json_string_or_null(i->body, "class"));
    k->id = fold_copy(x, fold_text(x, "id"));
    k->born = x->e->time;
    k->seq = x->e->seq;
    k->intent = i->seq;
    if (primary)
        fold_site_add(x, &k->sites, primary);
    items[x->s->awaited_count++] = *k;
    *k = (struct state_key){.seq = 0}; /* taken by the state */
}

/* A key pair that the entry names; else no member of it stands there. */
static bool read_awaited(struct fold *x, const struct state_intent *i, struct state_key *k)
{
    struct buf id = BUF(LIMIT_ATTRIBUTE);
    const char *class_name = i ? json_string_or_null(i->body, "class") : NULL;
    if (fold_has(x, "public-key") != fold_has(x, "fingerprint") || fold_has(x, "public-key") != fold_has(x, "id"))
        fold_fail(x, "fingerprint, id and public-key stand together or not at all");
    if (!fold_has(x, "public-key"))
        return false;
    k->public_key = BUF(LIMIT_ATTRIBUTE);
    fold_public_key(x, &k->public_key, &k->fingerprint);
    fold_hex(x, "id", &id);
    buf_free(&id);
    if (!class_name || strcmp(class_name, "private-key") != 0 || !json_string_or_null(i->body, "type"))
        fold_fail(x, "its intent is for no key pair");
    return true;
}

/* The key is permanent at the primary, or on its way to one site more, and what these sites answer is awaited until then. */
void fold_provisional(struct fold *x)
{
    struct strings sites = {.items = NULL};
    struct state_key key = {.seq = 0};
    fold_members(x, "?fingerprint ?id intent ?public-key sites until");
    fold_strings(x, "sites", &sites);
    moment until = fold_moment(x, "until");
    struct state_intent *i = want_intent(x);
    if (i &&
        (i->state != INTENT_OPEN || (strcmp(i->operation, "generate") != 0 && strcmp(i->operation, "replicate") != 0)))
        fold_fail(x, "its intent is no birth that is under way");
    if (sites.count == 0 || until <= x->e->time)
        fold_fail(x, "nobody's receipt is awaited, or no time is left for it");
    for (size_t n = 0; i && n < sites.count; n++)
        if (!strings_have(&i->offered, sites.items[n]) || strings_have(&i->receipted, sites.items[n]))
            fold_fail(x, "the site \"%s\" was offered nothing, or has answered", sites.items[n]);
    if (i && later_of(i) && !same_sites(later_of(i), &sites))
        fold_fail(x, "the sites that are awaited are not those that its intent says");
    bool named = read_awaited(x, i, &key);
    if (fold_goes(x)) {
        i->state = INTENT_PROVISIONAL;
        i->until = until;
        if (named)
            keep_awaited(x, i, &key);
    }
    buf_free(&key.public_key);
    strings_free(&sites);
}

/* Every site that answered and has not retired knows of the birth, or is an orphan. On a settled or rolled-back intent: orphans that have been
 * settled since. */
void fold_accepted(struct fold *x)
{
    struct strings sites = {.items = NULL};
    fold_members(x, "intent sites");
    fold_strings(x, "sites", &sites);
    struct state_intent *i = want_intent(x);
    if (i && (i->state == INTENT_OPEN || i->state == INTENT_PROVISIONAL))
        fold_fail(x, "its intent is open");
    for (size_t n = 0; i && i->state == INTENT_BORN && n < i->receipted.count; n++)
        if (!strings_have(&sites, i->receipted.items[n]) && !strings_have(&i->orphans, i->receipted.items[n]) &&
            !state_site_gone(x->look, i->token ? i->token : "", i->receipted.items[n], i->seq))
            fold_fail(x, "the site \"%s\" is neither told nor an orphan", i->receipted.items[n]);
    if (i && i->state != INTENT_BORN && sites.count == 0)
        fold_fail(x, "its intent is closed");
    for (size_t n = 0; i && i->state != INTENT_BORN && n < sites.count; n++)
        if (!strings_have(&i->orphans, sites.items[n]))
            fold_fail(x, "its intent is closed, and the site \"%s\" is no orphan of it", sites.items[n]);
    if (!fold_goes(x))
        goto out;
    for (size_t n = 0; n < sites.count; n++)
        fold_cleared(x, i, sites.items[n]);
    if (i->state == INTENT_BORN)
        i->state = INTENT_SETTLED;
out:
    strings_free(&sites);
}

void fold_rolled_back(struct fold *x)
{
    fold_members(x, "intent reason");
    fold_text(x, "reason");
    struct state_intent *i = want_intent(x);
    struct state_request *r = i ? state_request(x->look, &i->request) : NULL;
    if (!r || (i->state != INTENT_OPEN && i->state != INTENT_PROVISIONAL))
        fold_fail(x, "its intent is closed");
    if (!fold_goes(x) || !r)
        return;
    i->state = INTENT_ROLLED_BACK;
    if (state_intent_plain(i)) { /* the next attempt asks for itself */
        r->state = REQUEST_VOID;
        r->why = fold_copy(x, "nobody need approve it");
    } else if (x->s->policy_seq < i->seq) {
        r->state = REQUEST_PENDING;
    } else { /* a policy came into force in between: it has to be asked again */
        r->state = REQUEST_VOID;
        if (asprintf(&r->why, "policy %u adopted", x->s->policy_version) < 0) {
            r->why = NULL;
            fold_memory(x);
        }
    }
}

void fold_orphan(struct fold *x)
{
    fold_members(x, "intent site");
    const char *site = fold_text(x, "site");
    struct state_intent *i = want_intent(x);
    const char *primary = i ? json_string_value(json_array_get(json_object_get(i->body, "sites"), 0)) : NULL;
    if (i && !strings_have(&i->offered, site) && (!primary || strcmp(primary, site) != 0))
        fold_fail(x, "nothing was offered to the site \"%s\"", site);
    if (i && strings_have(&i->orphans, site))
        fold_fail(x, "the site \"%s\" is an orphan already", site);
    if (fold_goes(x))
        fold_site_add(x, &i->orphans, site);
}
