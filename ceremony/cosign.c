#include <stdlib.h>

#include "audit/cosigner.h"
#include "ceremony/print.h"
#include "ceremony/tool.h"
#include "core/file.h"
#include "core/limits.h"

/* `quorate cosign init`, `trust` and `file`: the cosigner's side, without a network. */

static enum outcome log_trust(const char *folder, const char *vkey, struct fault *f)
{
    struct note_key key;
    enum outcome o = note_key_parse(vkey, &key, f);

    return o == OK ? cosigner_trust(folder, &key, f) : fault_context(f, "%s", vkey);
}

enum outcome run_cosign_init(const struct arguments *a, struct fault *f)
{
    struct cosigner_state *c = NULL;
    struct buf b = BUF(OUTPUT_MAX), vkey = BUF(LIMIT_NOTE);
    const char *folder = a->operands[0], *name = NULL;
    enum outcome o = argument_want(a, "name", &name, f);

    if (o == OK)
        o = cosigner_create(folder, name, f);
    if (o == OK)
        o = cosigner_open(folder, &c, f);
    if (o == OK) {
        note_key_put(cosigner_key(c), &vkey);
        print_head(&b, "A new cosigner");
        print_field(&b, "folder", "%s", folder);
        print_field(&b, "key", "%s", buf_str(&vkey));
        print_field(&b, "next", "quorate cosign trust %s LOG-KEY", folder);
        o = print_out(&b, f);
    }
    cosigner_close(c);
    buf_free(&vkey);
    buf_free(&b);
    return o;
}

enum outcome run_cosign_trust(const struct arguments *a, struct fault *f)
{
    struct buf b = BUF(OUTPUT_MAX);
    enum outcome o = log_trust(a->operands[0], a->operands[1], f);

    if (o == OK) {
        print_field(&b, "trusted", "%s", a->operands[1]);
        o = print_out(&b, f);
    }
    buf_free(&b);
    return o;
}

enum outcome run_cosign_file(const struct arguments *a, struct fault *f)
{
    struct cosigner_state *c = NULL;
    struct buf request = BUF(LIMIT_NOTE), answer = BUF(LIMIT_NOTE), b = BUF(OUTPUT_MAX);
    unsigned status = 500;
    enum outcome o = cosigner_open(a->operands[0], &c, f);

    if (o == OK)
        o = file_read(a->operands[1], false, &request, f);
    if (o != OK)
        goto out;
    status = cosigner_add(c, buf_span(&request), &answer, f);
    if (status == 200 || status == 409)
        o = file_replace(a->operands[2], buf_span(&answer), 0644, f);
    if (o == OK && status != 200) {
        f->outcome = E_REFUSED;
        o = fault_context(f, "not cosigned (%u)", status);
    }
    if (o == OK) {
        print_field(&b, "cosigned", "%s", a->operands[1]);
        print_field(&b, "carry back", "%s", a->operands[2]);
        o = print_out(&b, f);
    }
out:
    cosigner_close(c);
    buf_free(&request);
    buf_free(&answer);
    buf_free(&b);
    return o;
}
