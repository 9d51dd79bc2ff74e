#include "module/person.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/limits.h"

#define PINS_MAX ((size_t)2 * LIMIT_SITES * LIMIT_TOKENS)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* held while a person is asked: one question at a time */
static struct vendor_person person;
static struct {
    char serial[33];
    bool officer; /* the security officer's */
    struct buf pin;
} pins[PINS_MAX];
static size_t pin_count;

void person_set(const struct vendor_person *p)
{
    pthread_mutex_lock(&lock);
    person = p ? *p : (struct vendor_person){.context = NULL};
    pthread_mutex_unlock(&lock);
}

/* With the lock held, like what follows. */
static struct buf *pin_kept(const char *serial, bool officer)
{
    for (size_t i = 0; i < pin_count; i++)
        if (strcmp(pins[i].serial, serial) == 0 && pins[i].officer == officer)
            return &pins[i].pin;
    return NULL;
}

static struct buf *pin_room(const char *serial, bool officer)
{
    if (pin_count == PINS_MAX)
        return NULL;
    pins[pin_count].serial[0] = '\0';
    pins[pin_count].officer = officer;
    strncat(pins[pin_count].serial, serial, sizeof(pins[pin_count].serial) - 1);
    pins[pin_count].pin = (struct buf)BUF_SECRET(LIMIT_PIN);
    return &pins[pin_count++].pin;
}

static struct buf *pin_ask(const char *token, const struct binding *b, bool officer)
{
    struct buf said = BUF_SECRET(LIMIT_PIN), *kept = NULL;
    char whose[LIMIT_NAME + 32];
    size_t len = LIMIT_PIN;

    snprintf(whose, sizeof(whose), "%.*s%s", LIMIT_NAME, b->site, officer ? " (its security officer)" : "");
    buf_zeros(&said, LIMIT_PIN);
    if (!said.failed && person.pin && person.pin(person.context, token, whose, b->serial, said.data, &len) && len > 0 &&
        len <= LIMIT_PIN)
        kept = pin_room(b->serial, officer);
    if (kept)
        buf_put(kept, said.data, len);
    buf_free(&said);
    return kept && !kept->failed ? kept : NULL;
}

enum outcome person_pin(const char *token, const struct binding *b, bool officer, struct buf *ret, struct fault *f)
{
    const struct buf *pin = NULL;

    pthread_mutex_lock(&lock);
    pin = pin_kept(b->serial, officer);
    if (!pin)
        pin = pin_ask(token, b, officer);
    if (pin)
        buf_put(ret, pin->data, pin->len);
    pthread_mutex_unlock(&lock);
    if (!pin)
        return fault_set(f, E_REFUSED,
                         "%s at %s: its PIN is asked for on the terminal of `quorate`, and nobody has given it", token,
                         b->site);
    return ret->failed ? fault_memory(f) : OK;
}

void person_pin_refused(const char *serial, bool officer)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < pin_count; i++)
        if (strcmp(pins[i].serial, serial) == 0 && pins[i].officer == officer) {
            buf_free(&pins[i].pin);
            pins[i] = pins[--pin_count];
            break;
        }
    pthread_mutex_unlock(&lock);
}

bool person_attach(const char *token, const struct binding *b)
{
    bool there = false;

    pthread_mutex_lock(&lock);
    if (person.attach)
        there = person.attach(person.context, token, b->site, b->serial);
    pthread_mutex_unlock(&lock);
    return there;
}

void person_forget(void)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < pin_count; i++)
        buf_free(&pins[i].pin);
    pin_count = 0;
    pthread_mutex_unlock(&lock);
}

void person_forked(void)
{
    pthread_mutex_init(&lock, NULL); /* the parent's thread that asked does not exist here */
    pin_count = 0;                   /* locked pages are not handed to a child */
    person = (struct vendor_person){.context = NULL};
}
