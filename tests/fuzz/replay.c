#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* A fuzz target's inputs, one after the other, without the fuzzer: what was once found stays found. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
    static uint8_t data[1 << 16];

    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rbe");
        size_t size;

        if (!file) {
            fprintf(stderr, "%s cannot be read\n", argv[i]);
            return 1;
        }
        size = fread(data, 1, sizeof(data), file);
        fclose(file);
        LLVMFuzzerTestOneInput(data, size);
    }
    printf("%d inputs\n", argc - 1);
    return argc > 1 ? 0 : 1;
}
