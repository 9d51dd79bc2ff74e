#include "audit/note.h"
#include "ceremony/describe.h"
#include "ceremony/print.h"
#include "ceremony/tool.h"
#include "estate/estate.h"

static enum outcome init_tell(const struct estate *e, bool json, struct fault *f)
{
    struct buf b = BUF(OUTPUT_MAX), vkey = BUF(1024);
    json_t *j = NULL;
    enum outcome o = OK;

    note_key_put(log_verifier(e->log), &vkey);
    if (json) {
        j = json_object();
        if (json_put_string(j, "environment", e->state.environment) && json_put_digest(j, "estate", &e->state.estate) &&
            json_put_string(j, "home", e->bindings->home) && json_put_string(j, "log-key", buf_str(&vkey)) &&
            json_put_string(j, "origin", e->state.origin)) {
            o = print_json(j, f);
        } else {
            json_decref(j);
            o = fault_memory(f);
        }
    } else {
        print_head(&b, "A new estate");
        print_field(&b, "estate", "%s", digest_hex(&e->state.estate).hex);
        print_field(&b, "environment", "%s", e->state.environment);
        print_field(&b, "origin", "%s", e->state.origin);
        print_field(&b, "log key", "%s", buf_str(&vkey));
        print_field(&b, "home", "%s", e->bindings->home);
        print_field(&b, "next", "quorate policy adopt %s", e->bindings->policy);
        o = print_out(&b, f);
    }
    buf_free(&vkey);
    buf_free(&b);
    return o;
}

enum outcome run_init(const struct arguments *a, struct fault *f)
{
    const char *environment = NULL, *bindings = argument(a, "bindings");
    struct estate *e = NULL;
    enum outcome o = argument_want(a, "environment", &environment, f);

    if (o == OK)
        o = estate_create(bindings, environment, argument(a, "origin"), f);
    if (o == OK)
        o = estate_open(bindings, &e, f);
    if (o == OK)
        o = init_tell(e, argument_flag(a, "json"), f);
    estate_close(e);
    return o;
}
