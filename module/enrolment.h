#ifndef QUORATE_MODULE_ENROLMENT_H
#define QUORATE_MODULE_ENROLMENT_H

#include "estate/message.h"
#include "module/birth.h"
#include "module/site_device.h"
#include "module/site_keys.h"

/* One enrolment under way (internal to enrol*.c). */
struct enrolment {
    struct world *world;
    struct estate *estate;
    const char *token, *site;
    struct enrol_with with;
    const struct site_answer *given; /* what a site that is elsewhere said of itself; NULL: bound as a module here */
    struct site_link link;           /* empty where given */
    struct site_device device;
    struct site_keys keys;
    json_t *attestation;     /* owned; the vendor's word of the keys (policy/attestation.h), verified; NULL: people's */
    struct digest challenge; /* where given: what was answered, and the answer, verified */
    struct buf answer;
};
/* Takes n->attestation and n->link. ret as of enrol_run. */
enum outcome enrolment_run(struct enrolment *n, json_t **ret, struct fault *f);

/* The bindings know the site, and that it is elsewhere. */
enum outcome given_bound(const struct enrolment *n, struct fault *f);

/* Enrols a site that is reached by a courier, which brings the challenge there. ret as of enrol_run. */
enum outcome enrol_by_courier(struct world *w, const char *token, const char *site, const struct enrol_with *with,
                              json_t **ret, struct fault *f);
/* The same from the bytes of an introduction that people carried. */
enum outcome enrol_carried(struct world *w, const char *token, const char *site, const struct enrol_with *with,
                           struct span introduction, json_t **ret, struct fault *f);

#endif
