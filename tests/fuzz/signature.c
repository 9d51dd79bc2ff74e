#include "policy/signature.h"
#include "golden.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* CMS signatures by strangers: of a document that people really signed. What holds over it holds over no other. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fault f;
    struct signer signer;
    struct span known[16];
    size_t count = 0;
    const struct golden_file *request, *g;
    golden_load();
    for (; count < 16 && (g = golden_file("people/", ".der", count)); count++)
        known[count] = buf_span(&g->bytes);
    for (size_t n = 0; (request = golden_file("requests/", "/request.json", n)); n++) {
        struct span document = buf_span(&request->bytes);
        if (signature_verify(span_of(data, size), document, known, count, &signer, &f))
            continue;
        document.len--;
        if (signature_verify(span_of(data, size), document, known, count, &signer, &f) == OK)
            abort();
    }
    return 0;
}
