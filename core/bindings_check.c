#include <string.h>

#include "core/bindings_inner.h"
#include "core/file.h"
#include "core/limits.h"

enum outcome serials_check(const char *name, const struct bindings *b, struct fault *f)
{
    const struct binding *all[LIMIT_TOKENS * LIMIT_SITES];
    size_t count = 0;

    for (size_t i = 0; i < b->token_count; i++) {
        for (size_t j = 0; j < b->tokens[i].site_count; j++) {
            const struct binding *site = &b->tokens[i].sites[j];

            for (size_t k = 0; site->reach == REACH_MODULE && k < count; k++) {
                if (strcmp(all[k]->serial, site->serial) == 0 && strcmp(all[k]->module, site->module) == 0)
                    return fault_set(f, E_INVALID,
                                     "%s:%u:%u: site \"%s\" has the serial number %s that line %u has already; every "
                                     "site needs an HSM token of its own",
                                     name, site->line, site->column, site->site, site->serial, all[k]->line);
            }
            if (site->reach == REACH_MODULE)
                all[count++] = site;
        }
    }
    return OK;
}

enum outcome mirrors_check(const struct yaml *node, const struct bindings *b, struct fault *f)
{
    for (size_t i = 0; i < b->mirrors.count; i++)
        for (size_t k = 0; k <= i; k++) {
            const char *path = b->mirrors.items[i], *other = k < i ? b->mirrors.items[k] : b->home;

            if (path_lies_in(path, other) || path_lies_in(other, path))
                return yaml_fault(node, f, "a folder apart from %s was expected, not %s", other, path);
        }
    return OK;
}
