#include "ceremony/person.h"

#include <stdio.h>
#include <string.h>

#include "ceremony/terminal.h"
#include "core/limits.h"

static bool pin_ask(void *context, const char *token, const char *site, const char *serial, unsigned char *ret,
                    size_t *len)
{
    char prompt[2 * LIMIT_NAME + 64];
    struct buf pin = BUF_SECRET(LIMIT_PIN);
    struct fault ignored = {OK, ""}; /* the module says whose PIN was not given */
    bool given = false;

    (void)context;
    snprintf(prompt, sizeof prompt, "PIN of %s at %s (HSM %s): ", token, site, serial);
    given = terminal_secret(prompt, "", &pin, &ignored) == OK && pin.len <= *len;
    if (given) {
        memcpy(ret, pin.data, pin.len);
        *len = pin.len;
    }
    buf_free(&pin);
    return given;
}

static bool attach_ask(void *context, const char *token, const char *site, const char *serial)
{
    char prompt[2 * LIMIT_NAME + 128];

    (void)context;
    snprintf(prompt, sizeof prompt,
             "Attach the HSM %s of %s at %s, then press Enter (anything else: it is not there): ", serial, token, site);
    return terminal_done(prompt);
}

const struct vendor_person terminal_person = {NULL, pin_ask, attach_ask};
