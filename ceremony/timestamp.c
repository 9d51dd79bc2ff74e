#include <stdlib.h>
#include <string.h>

#include "ceremony/print.h"
#include "ceremony/stamp.h"
#include "ceremony/tool.h"
#include "core/file.h"
#include "core/limits.h"
#include "estate/estate.h"

/* `quorate timestamp query|add`: an authority's word on when the closing checkpoint was there. */

/* SHA-256 of home/ceremonies/ID/checkpoint. */
static enum outcome closing_digest(const struct estate *e, const char *ceremony, struct digest *ret, struct fault *f)
{
    struct buf note = BUF(LIMIT_NOTE);
    char name[LIMIT_NAME + 64], *path = NULL;
    enum outcome o = OK;

    if (strlen(ceremony) > LIMIT_NAME + 16 || strchr(ceremony, '/') != NULL || ceremony[0] == '.')
        return fault_set(f, E_INVALID, "\"%s\" is no ceremony's id", ceremony);
    snprintf(name, sizeof name, "%s/checkpoint", ceremony);
    path = estate_path(e, "ceremonies", name);
    o = path != NULL ? file_read(path, true, &note, f) : fault_memory(f);
    if (o == E_ABSENT)
        o = fault_set(f, E_REFUSED, "ceremony %s is not closed: finish it with `quorate run`", ceremony);
    if (o == OK && !digest_one(ret, buf_span(&note)))
        o = fault_set(f, E_IO, "libcrypto cannot hash");
    free(path);
    buf_free(&note);
    return o;
}

enum outcome run_timestamp_query(const struct arguments *a, struct fault *f)
{
    const char *ceremony = a->operands[0], *out = a->operands[1];
    struct estate *e = NULL;
    struct buf query = BUF(LIMIT_NOTE), b = BUF(OUTPUT_MAX);
    struct digest of;
    enum outcome o = estate_open(argument(a, "bindings"), &e, f);

    if (o == OK)
        o = closing_digest(e, ceremony, &of, f);
    if (o == OK)
        o = stamp_query(&of, &query, f);
    if (o == OK)
        o = file_replace(out, buf_span(&query), 0644, f);
    if (o == OK) {
        print_field(&b, "query", "%s", out);
        print_field(&b, "over", "%s", digest_hex(&of).hex);
        print_field(&b, "next", "quorate timestamp add %s RESPONSE", ceremony);
        o = print_out(&b, f);
    }
    estate_close(e);
    buf_free(&query);
    buf_free(&b);
    return o;
}

static enum outcome stamp_keep(struct estate *e, const char *ceremony, const struct digest *of, struct span response,
                               moment at, struct fault *f)
{
    json_t *body = json_object();
    struct digest token;
    char *folder = estate_path(e, "timestamps", NULL);
    enum outcome o = folder != NULL ? folder_make(folder, 0755, f) : fault_memory(f);

    if (o == OK)
        o = estate_keep(e, "timestamps", ".tsr", response, &token, f);
    if (o == OK && !(json_put_string(body, "ceremony", ceremony) && json_put_digest(body, "checkpoint", of) &&
                     json_put_moment(body, "time", at) && json_put_digest(body, "token", &token)))
        o = fault_memory(f);
    if (o == OK)
        o = estate_append(e, ENTRY_TIMESTAMP, body, NULL, f);
    free(folder);
    json_decref(body);
    return o;
}

enum outcome run_timestamp_add(const struct arguments *a, struct fault *f)
{
    const char *ceremony = a->operands[0];
    struct estate *e = NULL;
    struct buf response = BUF(LIMIT_SIGNATURE), b = BUF(OUTPUT_MAX);
    struct digest of;
    moment at = 0;
    enum outcome o = estate_open(argument(a, "bindings"), &e, f);

    if (o == OK)
        o = closing_digest(e, ceremony, &of, f);
    if (o == OK)
        o = file_read(a->operands[1], false, &response, f);
    if (o == OK && (o = stamp_read(buf_span(&response), &of, &at, f)) != OK)
        fault_context(f, "%s", a->operands[1]);
    if (o == OK)
        o = stamp_keep(e, ceremony, &of, buf_span(&response), at, f);
    if (o == OK) {
        print_field(&b, "stamped", "%s", moment_format(at).text);
        print_field(&b, "next", "quorate transcript %s DIR", ceremony);
        o = print_out(&b, f);
    }
    estate_close(e);
    buf_free(&response);
    buf_free(&b);
    return o;
}
