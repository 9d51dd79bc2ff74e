#ifndef QUORATE_TESTS_ONE_ESTATE_H
#define QUORATE_TESTS_ONE_ESTATE_H

/* The one estate of a file's tests: its own setup makes it, `teardown` ends it. Included after the other fixtures. */
#include "tests/unit/depth_fixture.h"

static struct depth d;

static int teardown(void **state)
{
    (void)state;
    depth_end(&d);
    return 0;
}

static inline struct binding *bound(const char *site)
{
    struct bound_token *t = &d.world->estate->bindings->tokens[0];
    for (size_t i = 0; i < t->site_count; i++)
        if (strcmp(t->sites[i].site, site) == 0)
            return &t->sites[i];
    fail_msg("no binding of %s", site);
    return NULL;
}

#endif
