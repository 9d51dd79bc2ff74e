#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "ceremony/run_file.h"
#include "ceremony/run_open.h"
#include "core/limits.h"

/* A file of the kernel's, whose size is not known before; false where it cannot be read. */
static bool kernel_text(const char *path, struct buf *ret)
{
    FILE *file = fopen(path, "re");
    char chunk[4096];
    size_t n = 0;

    if (file == NULL)
        return false;
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0)
        buf_put(ret, chunk, n);
    fclose(file);
    while (ret->len > 0 && ret->data[ret->len - 1] == '\n')
        ret->data[--ret->len] = '\0';
    return !ret->failed;
}

/* As text, or its digest where it could tell a stranger too much. */
static bool kernel_put(json_t *body, const char *name, const char *path, bool hashed)
{
    struct buf text = BUF(LIMIT_KERNEL_TEXT);
    struct digest digest;
    bool read = kernel_text(path, &text), good = false;

    if (!read)
        good = json_put_string(body, name, "unknown");
    else if (hashed)
        good = digest_one(&digest, buf_span(&text)) && json_put_digest(body, name, &digest);
    else
        good = json_put_string(body, name, buf_str(&text));
    buf_free(&text);
    return good;
}

static enum outcome software_put(json_t *software, const char *name, const char *path, struct fault *f)
{
    struct digest digest;
    enum outcome o = file_digest(path, &digest, f);

    if (o == OK && !json_put_digest(software, name, &digest))
        o = fault_memory(f);
    return o;
}

static enum outcome software_describe(const struct runner *r, json_t *software, struct fault *f)
{
    const struct bindings *b = r->estate->bindings;
    enum outcome o = software_put(software, "quorate", "/proc/self/exe", f);

    if (o == OK)
        o = software_put(software, "quorate-pkcs11.so", client_path(r->client), f);
    for (size_t i = 0; i < b->token_count; i++) {
        for (size_t j = 0; j < b->tokens[i].site_count && o == OK; j++) {
            const struct binding *site = &b->tokens[i].sites[j];

            if (site->reach == REACH_MODULE)
                o = software_put(software, site->module, site->module, f);
        }
    }
    return o;
}

enum outcome environment_describe(const struct runner *r, json_t **ret, struct fault *f)
{
    json_t *body = json_object(), *software = json_object();
    struct utsname kernel;
    enum outcome o = software != NULL ? software_describe(r, software, f) : fault_memory(f);

    if (o == OK && uname(&kernel) != 0)
        o = fault_errno(f, "cannot ask for", "the kernel's release");
    if (o == OK &&
        (!kernel_put(body, "boot-command-line", "/proc/cmdline", true) ||
         !kernel_put(body, "clock-source", "/sys/devices/system/clocksource/clocksource0/current_clocksource", false) ||
         !kernel_put(body, "machine", "/etc/machine-id", true) || !json_put_string(body, "kernel", kernel.release) ||
         !json_put(body, "software", json_incref(software))))
        o = fault_memory(f);
    if (o == OK) {
        *ret = body;
        body = NULL; /* the caller's */
    }
    json_decref(software);
    json_decref(body);
    return o;
}
