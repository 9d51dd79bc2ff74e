#ifndef QUORATE_MODULE_THINGS_H
#define QUORATE_MODULE_THINGS_H

#include "core/json.h"
#include "module/site.h"

/* What lies on a site's HSM: every object that a session sees, as an inventory needs it. */
struct thing {
    const char *class; /* as class_name() has it; "other"; THING_UNREADABLE */
    bool session, trusted;
    bool has_public; /* a public key that can be read */
    struct digest public_key;
    struct buf id, label; /* the id in hex, the label as it is */
};
#define THING_UNREADABLE "unreadable" /* it has no CKA_CLASS that can be read: a key, perhaps */

struct things {
    struct thing *items;
    size_t count;
};
void things_clear(struct things *t);

/* Of the HSM itself; E_MEMORY where there are `max` or more. */
enum outcome things_read(const struct site_link *s, size_t max, struct things *ret, struct fault *f);

/* As an inventory has them (audit/listing.h): text of a label where it is text, hex where not. NULL on memory. */
json_t *things_json(const struct things *t);
enum outcome things_parse(const json_t *objects, struct things *ret, struct fault *f);
/* The members class, id, label or label-hex. */
bool thing_put(const struct thing *t, json_t *line);

#endif
