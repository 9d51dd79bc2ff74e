#ifndef QUORATE_MODULE_SITE_DEVICE_H
#define QUORATE_MODULE_SITE_DEVICE_H

#include "module/site.h"

/* What an HSM says of itself, as text: attested, not proven. */
struct site_device {
    char manufacturer[33], model[17], firmware[16], serial[33];
};
/* E_DEVICE where it is not printable. */
enum outcome site_device_read(const struct site_link *s, struct site_device *ret, struct fault *f);
json_t *site_device_json(const struct site_device *d); /* {firmware, manufacturer, model, serial}; NULL on memory */

#endif
