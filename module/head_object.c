#include "module/head_object.h"

#include <stdio.h>
#include <string.h>

#include "module/head.h"

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

/* An origin has at most 255 bytes (audit/note.h). */
static CK_ATTRIBUTE label_of(const char *origin, char ret_label[sizeof HEAD_LABEL + 256])
{
    snprintf(ret_label, sizeof HEAD_LABEL + 256, "%s%s", HEAD_LABEL, origin);
    return (CK_ATTRIBUTE){CKA_LABEL, ret_label, (CK_ULONG)strlen(ret_label)};
}

bool head_label_is(const struct estate *e, const char *label)
{
    size_t len = strlen(HEAD_LABEL);
    return strncmp(label, HEAD_LABEL, len) == 0 && strcmp(label + len, e->state.origin) == 0;
}

enum outcome heads_read(const struct site_link *s, const char *origin, struct heads *ret, struct fault *f)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_OBJECT_HANDLE found[LIMIT_HEADS];
    char label[sizeof HEAD_LABEL + 256];
    CK_ATTRIBUTE match[] = {{CKA_CLASS, &class, sizeof class}, {CKA_TOKEN, &yes, sizeof yes}, label_of(origin, label)};
    struct heads h = {.count = 0};
    struct fault unread = {0};
    size_t count = 0;
    enum outcome outcome = site_find(s, match, sizeof match / sizeof *match, found, LIMIT_HEADS, &count, f);
    for (size_t i = 0; i < count && outcome == OK; i++) {
        struct head *head = &h.items[h.count++];
        *head = (struct head){.object = found[i], .note = BUF(LIMIT_ATTRIBUTE)};
        /* No head of ours is so long that it cannot be read: it then stands there empty, and differs. */
        if (site_attribute(s, found[i], CKA_VALUE, &head->note, &unread) != OK)
            buf_clear(&head->note);
    }
    if (outcome == OK)
        *ret = h;
    else
        heads_clear(&h);
    return outcome == OK ? OK : fault_context(f, "the log's head on the HSM");
}

void heads_clear(struct heads *h)
{
    for (size_t i = 0; i < h->count; i++)
        buf_free(&h->items[i].note);
    h->count = 0;
}

enum outcome head_make(const struct site_link *s, const char *origin, struct span note, CK_RV *ret_rv, struct fault *f)
{
    static CK_UTF8CHAR application[] = "quorate";
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
    char label[sizeof HEAD_LABEL + 256];
    CK_BYTE value[LIMIT_ATTRIBUTE];
    struct buf back = BUF(LIMIT_ATTRIBUTE);
    enum outcome outcome = OK;

    if (note.len > sizeof value)
        return fault_set(f, E_INVALID, "the checkpoint is longer than %d bytes", LIMIT_ATTRIBUTE);
    memcpy(value, note.data, note.len);
    CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof class},
                        {CKA_TOKEN, &yes, sizeof yes},
                        {CKA_PRIVATE, &no, sizeof no},
                        {CKA_MODIFIABLE, &no, sizeof no},
                        label_of(origin, label),
                        {CKA_APPLICATION, application, sizeof application - 1},
                        {CKA_VALUE, value, (CK_ULONG)note.len}};
    *ret_rv = s->f->C_CreateObject(s->session, t, sizeof t / sizeof *t, &made);
    if (*ret_rv != CKR_OK)
        return site_fault(s, "putting the log's head on the HSM", *ret_rv, f);
    outcome = site_attribute(s, made, CKA_VALUE, &back, f);
    if (outcome == OK && !span_equal(buf_span(&back), note))
        outcome = fault_set(f, E_DEVICE, "%s at %s: the HSM gives another log head back than it was given", s->token,
                            s->binding->site);
    buf_free(&back);
    return outcome;
}
