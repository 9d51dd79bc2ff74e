#include <stdlib.h>

#include "audit/proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A proof by a stranger never holds, and parsing it ends. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char known[] = "quorate.example/test+f39a0be4+AQOhB7/zzhC+HXDdGOdLwJlnPYwm6UNXx3chmQSVTG/4";
    struct fault f;
    struct note_key key;
    struct checkpoint c;
    struct proof p;
    if (proof_parse(span_of(data, size), &p, &f))
        return 0;
    if (p.path.count > MERKLE_PROOF_MAX || p.note.data < data || p.note.data + p.note.len != data + size)
        abort();
    if (note_key_parse(known, &key, &f) == OK)
        (void)proof_verify(&p, span_of(data, size), &key, &c, &f);
    return 0;
}
