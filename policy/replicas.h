#ifndef QUORATE_POLICY_REPLICAS_H
#define QUORATE_POLICY_REPLICAS_H

#include "policy/judge.h"

/* Where an HSM stands, and whether it can hold a replica at all. */
struct spot {
    bool usable;
    double latitude, longitude;
};

/* The largest set of usable spots (bit i: spots[i]) that lie, with the primary and pairwise, at least apart_km from each
 * other; apart_km 0: any. Of several the one of the first declared. At most LIMIT_SITES - 1 spots. */
uint32_t replicas_best(const struct spot *primary, const struct spot *spots, size_t count, double apart_km);

/* Does a place answer `tagged` (all of the tags) and `countries` (one of them)? */
bool replicas_place_fits(const struct replica_rule *r, const char *country, const struct strings *tags);

/* Is hardware attested so (core/hardware.h; NULL: not known) what the rule asks for? */
bool replicas_hardware_fits(const struct replica_rule *r, const char *hardware);

/* Adds findings for the sites of the token; fills verdict->sites. */
void replicas_judge(struct judge *j, const struct replica_rule *r, const char *token);

/* Do the places where the HSMs in `held` are now answer apart-km, tagged and countries? */
bool replicas_in_place(const struct policy *p, const struct replica_rule *r, const char *token,
                       const struct evidence *e, const struct strings *held);

#endif
