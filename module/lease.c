#include "module/lease.h"

#include <time.h>

#include "core/limits.h"

static struct lease {
    struct lease_want want;
    struct digest subject;
    uint64_t generation, until; /* until: seconds of CLOCK_BOOTTIME, which a clock set back does not lengthen */
    unsigned left;              /* 0: free */
} leases[LIMIT_LEASES];

static uint64_t seconds_now(void)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec;
}

static bool want_equal(const struct lease_want *a, const struct lease_want *b)
{
    return a->key == b->key && a->kind == b->kind && a->mechanism == b->mechanism && !a->parameter && !b->parameter;
}

static bool lease_take(struct lease *l)
{
    if (seconds_now() >= l->until) {
        l->left = 0;
        return false;
    }
    l->left--;
    return true;
}

bool lease_draw_known(const struct lease_want *want, uint64_t generation)
{
    for (size_t i = 0; i < LIMIT_LEASES; i++)
        if (leases[i].left && leases[i].generation == generation && want_equal(&leases[i].want, want))
            return lease_take(&leases[i]);
    return false;
}

bool lease_draw(const struct lease_want *want, const struct digest *subject, uint64_t generation)
{
    for (size_t i = 0; i < LIMIT_LEASES; i++) {
        if (!leases[i].left || !digest_equal(&leases[i].subject, subject))
            continue;
        if (!lease_take(&leases[i]))
            continue;
        leases[i].want = *want;
        leases[i].generation = generation;
        return true;
    }
    return false;
}

bool lease_add(const struct lease_want *want, const struct digest *subject, uint64_t generation, unsigned count,
               int64_t seconds)
{
    uint64_t now = seconds_now();

    for (size_t i = 0; i < LIMIT_LEASES; i++) {
        if (leases[i].left && now < leases[i].until)
            continue;
        leases[i] = (struct lease){.want = *want,
                                   .subject = *subject,
                                   .generation = generation,
                                   .until = now + (uint64_t)seconds,
                                   .left = count - 1};
        return true;
    }
    return false;
}

void leases_forget(void)
{
    for (size_t i = 0; i < LIMIT_LEASES; i++)
        leases[i] = (struct lease){.left = 0};
}
