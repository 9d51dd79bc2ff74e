#include "ceremony/waiting.h"

enum outcome waiting_tell(bool json, const char *what, const char *request_hex, const char *missing, struct fault *f)
{
    struct buf b = BUF(OUTPUT_MAX);
    enum outcome o = OK;

    if (json) {
        json_t *j = json_object();

        if (json_put_string(j, "missing", missing) && json_put_string(j, "request", request_hex) &&
            json_put_string(j, "status", "pending")) {
            o = print_json(j, f);
        } else {
            json_decref(j);
            o = fault_memory(f);
        }
    } else {
        print_toned(&b, TONE_WAIT, what);
        buf_puts(&b, " waits for people\n");
        print_field(&b, "request", "%s", request_hex);
        print_field(&b, "verdict", "%s", missing);
        print_field(&b, "next", "quorate approve %.12s --as PERSON --key KEY, then this command again", request_hex);
        o = print_out(&b, f);
    }
    buf_free(&b);
    return o == OK ? print_said(E_PENDING, f) : o;
}
