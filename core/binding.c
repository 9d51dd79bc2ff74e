#include <stdlib.h>
#include <string.h>

#include "core/bindings.h"

void binding_clear(struct binding *b)
{
    free(b->site);
    free(b->module);
    free(b->serial);
    free(b->pin_path);
    free(b->so_pin_path);
    free(b->cloned);
    strings_free(&b->courier);
    *b = (struct binding){.site = NULL};
}

static bool text_copy(const char *text, char **ret)
{
    *ret = text != NULL ? strdup(text) : NULL;
    return text == NULL || *ret != NULL;
}

enum outcome binding_copy(const struct binding *b, struct binding *ret, struct fault *f)
{
    struct binding copy = *b;
    copy.courier = (struct strings){0};
    copy.module = copy.serial = copy.pin_path = copy.so_pin_path = copy.cloned = NULL;
    bool good = text_copy(b->site, &copy.site) && text_copy(b->module, &copy.module) &&
                text_copy(b->serial, &copy.serial) && text_copy(b->pin_path, &copy.pin_path) &&
                text_copy(b->so_pin_path, &copy.so_pin_path) && text_copy(b->cloned, &copy.cloned);
    for (size_t i = 0; i < b->courier.count && good; i++)
        good = strings_add(&copy.courier, b->courier.items[i]);
    if (good) {
        *ret = copy;
        return OK;
    }
    binding_clear(&copy);
    return fault_memory(f);
}
