#include "module/site_device.h"

#include <stdio.h>
#include <string.h>

#include "core/encode.h"

/* Members of a token's info are padded with blanks. */
static enum outcome info_text(const struct site_link *s, const unsigned char *padded, size_t len, char *ret,
                              struct fault *f)
{
    while (len > 0 && (padded[len - 1] == ' ' || padded[len - 1] == '\0'))
        len--;
    if (!utf8_printable(span_of(padded, len)))
        return fault_set(f, E_DEVICE, "%s at %s: the HSM's manufacturer or model is not printable text", s->token,
                         s->binding->site);
    memcpy(ret, padded, len);
    ret[len] = '\0';
    return OK;
}

enum outcome site_device_read(const struct site_link *s, struct site_device *ret, struct fault *f)
{
    const CK_TOKEN_INFO *info = &s->info;
    struct site_device d = {.manufacturer = ""};
    enum outcome outcome = info_text(s, info->manufacturerID, sizeof info->manufacturerID, d.manufacturer, f);
    if (outcome == OK)
        outcome = info_text(s, info->model, sizeof info->model, d.model, f);
    snprintf(d.firmware, sizeof d.firmware, "%u.%u", info->firmwareVersion.major, info->firmwareVersion.minor);
    if ((size_t)snprintf(d.serial, sizeof d.serial, "%s", s->binding->serial) >= sizeof d.serial && outcome == OK)
        outcome = fault_set(f, E_INVALID, "%s at %s: the serial number is too long", s->token, s->binding->site);
    if (outcome == OK)
        *ret = d;
    return outcome;
}

json_t *site_device_json(const struct site_device *d)
{
    return json_pack("{ssssssss}", "firmware", d->firmware, "manufacturer", d->manufacturer, "model", d->model,
                     "serial", d->serial);
}
