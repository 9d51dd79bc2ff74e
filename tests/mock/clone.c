#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/mock/inner.h"

/* What a vendor's own tools do: objects go from one HSM to another, past PKCS#11 and whatever it refuses. Here by a file. */

enum { ITEM = 16384 };

static bool item_write(FILE *file, const CK_ATTRIBUTE *a)
{
    return fwrite(&a->type, sizeof(a->type), 1, file) == 1 &&
           fwrite(&a->ulValueLen, sizeof(a->ulValueLen), 1, file) == 1 &&
           fwrite(a->pValue, 1, a->ulValueLen, file) == a->ulValueLen;
}

static bool object_write(FILE *file, const struct mock_object *o)
{
    bool good = fwrite(&o->count, sizeof(o->count), 1, file) == 1;
    for (CK_ULONG i = 0; i < o->count && good; i++)
        good = item_write(file, &o->items[i]);
    return good;
}

bool mock_clone_out(CK_SLOT_ID slot, const char *path)
{
    FILE *file = fopen(path, "wbe");
    bool good = file != NULL;
    for (size_t i = 0; i < MOCK_OBJECTS && good; i++) {
        const struct mock_object *o = mock_token_object(i, slot);
        if (o && (o->class == CKO_PRIVATE_KEY || o->class == CKO_PUBLIC_KEY || o->class == CKO_SECRET_KEY))
            good = object_write(file, o);
    }
    return file && fclose(file) == 0 && good;
}

static bool bytes_equal(const CK_ATTRIBUTE *a, const unsigned char *id, CK_ULONG len)
{
    return a->ulValueLen == len && memcmp(a->pValue, id, len) == 0;
}

/* One object of the file, where it has this CKA_ID and none of its class is left out. */
static bool object_read(FILE *file, CK_SLOT_ID slot, const unsigned char *id, CK_ULONG id_len, const char *how)
{
    static CK_BBOOL yes = CK_TRUE;
    CK_ATTRIBUTE items[64], extractable = {CKA_EXTRACTABLE, &yes, 1};
    CK_ULONG count = 0, read = 0, class = 0;
    bool wanted = false, good = fread(&count, sizeof(count), 1, file) == 1 && count <= 64;
    for (; read < count && good; read++) {
        CK_ATTRIBUTE *a = &items[read];
        good = fread(&a->type, sizeof(a->type), 1, file) == 1 &&
               fread(&a->ulValueLen, sizeof(a->ulValueLen), 1, file) == 1 && a->ulValueLen <= ITEM &&
               (a->pValue = malloc(a->ulValueLen + 1)) && fread(a->pValue, 1, a->ulValueLen, file) == a->ulValueLen;
        wanted = wanted || (good && a->type == CKA_ID && bytes_equal(a, id, id_len));
        if (good && a->type == CKA_CLASS)
            memcpy(&class, a->pValue, sizeof(class));
    }
    if (good && wanted && !(class == CKO_PUBLIC_KEY && strcmp(how, "private") == 0))
        good = mock_token_object_make(slot, items, count, &extractable,
                                      class != CKO_PUBLIC_KEY && strcmp(how, "extractable") == 0);
    for (CK_ULONG i = 0; i < read; i++)
        free(items[i].pValue);
    return good;
}

/* Two digits of hex, or -1. */
static int byte_of(const char *hex)
{
    static const char digits[] = "0123456789abcdef";
    const char *high = hex[0] ? strchr(digits, hex[0]) : NULL, *low = high && hex[1] ? strchr(digits, hex[1]) : NULL;
    return low ? (int)((high - digits) * 16 + (low - digits)) : -1;
}

bool mock_clone_in(CK_SLOT_ID slot, const char *path, const char *hex, const char *how)
{
    unsigned char id[64];
    CK_ULONG len = 0;
    FILE *file = fopen(path, "rbe");
    bool good = file != NULL;
    for (int byte = byte_of(hex); len < sizeof(id) && byte >= 0; byte = byte_of(hex + 2 * len))
        id[len++] = (unsigned char)byte;
    for (int c = good ? fgetc(file) : EOF; good && c != EOF; c = fgetc(file)) {
        ungetc(c, file);
        good = object_read(file, slot, id, len, how);
    }
    return file && fclose(file) == 0 && good;
}
