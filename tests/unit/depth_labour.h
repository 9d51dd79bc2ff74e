#ifndef QUORATE_TESTS_DEPTH_LABOUR_H
#define QUORATE_TESTS_DEPTH_LABOUR_H

/* A birth stopped in the middle: the key is a session object on the primary, nothing has been offered yet. */

#include "module/birth_work.h"
#include "tests/unit/depth_fixture.h"

struct depth_labour {
    struct depth_question q;
    struct birth b;
    struct birth_work k;
};

/* Of how many of the sites it is, and which CKA_ID (hex) the caller wants; NULL: none. */
static size_t depth_labour_sites = 3;
static const char *depth_labour_id;

static inline void depth_labour_begin(struct depth *d, const char *label, struct depth_labour *ret)
{
    struct fault f;
    struct depth_labour *l = ret;
    memset(l, 0, sizeof *l);
    depth_ask_approved(d, &l->q, CKM_EC_KEY_PAIR_GEN, label, "");
    l->b = (struct birth){.world = d->world,
                          .token = world_token(d->world, "root"),
                          .mechanism = &l->q.mechanism,
                          .template = &l->q.template,
                          .request = l->q.answer.request,
                          .context = &d->world->context};
    l->k = (struct birth_work){
        .b = &l->b, .world = d->world, .estate = d->world->estate, .token = "root", .id = BUF(32), .spki = BUF(4096)};
    assert_good(site_open(d->world, "root", "slough", SITE_APPLICATION, &l->k.primary, &f));
    l->k.below = world_lower(d->world, SOFTHSM);
    assert_good(birth_plan(&l->k, &f));
    json_t *more =
        json_pack("{s:s,s:s,s:s}", "class", "private-key", "type", "EC:P-384", "function", "C_GenerateKeyPair");
    assert_true(depth_labour_id == NULL || json_put_string(more, "caller-id", depth_labour_id));
    json_t *sites = json_array();
    for (size_t i = 0; i < 3 && i < depth_labour_sites; i++)
        assert_int_equal(json_array_append_new(sites, json_string(depth_sites[i])), 0);
    assert_true(json_put(more, "sites", sites));
    assert_good(estate_intend(d->world->estate, l->b.request, l->b.context, more, &l->k.intent, &f));
    json_decref(more);
    l->k.intent_digest = state_intent(&d->world->estate->state, l->k.intent)->digest;
    assert_good(intent_key_id(&l->k.intent_digest, &l->k.id, &f));
    assert_good(birth_make(&l->k, &f));
}

static inline void depth_labour_end(struct depth_labour *l)
{
    replicas_end(&l->k.heads);
    replicas_end(&l->k.replicas);
    site_close(&l->k.primary);
    buf_free(&l->k.id);
    buf_free(&l->k.spki);
    free(l->k.rule_id);
    depth_forget(&l->q);
}

#endif
