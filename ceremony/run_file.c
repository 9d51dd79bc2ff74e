#include "ceremony/run_file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

static enum outcome bytes_hash(int fd, const char *path, EVP_MD_CTX *c, struct fault *f)
{
    uint8_t chunk[65536];
    ssize_t n = 0;

    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fault_errno(f, "cannot read", path);
        if (EVP_DigestUpdate(c, chunk, (size_t)n) != 1)
            return fault_set(f, E_IO, "libcrypto does not hash");
    }
    return OK;
}

enum outcome file_digest(const char *path, struct digest *ret, struct fault *f)
{
    EVP_MD *sha256 = EVP_MD_fetch(crypto_context(), "SHA256", NULL);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    struct digest digest;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    enum outcome o = OK;

    if (fd < 0 && errno == ENOENT)
        o = fault_set(f, E_ABSENT, "there is no file %s", path);
    else if (fd < 0 || fstat(fd, &st) != 0)
        o = fault_errno(f, "cannot open", path);
    else if (!S_ISREG(st.st_mode))
        o = fault_set(f, E_INVALID, "%s is no regular file", path);
    if (o == OK && (sha256 == NULL || c == NULL || EVP_DigestInit_ex(c, sha256, NULL) != 1))
        o = fault_set(f, E_IO, "libcrypto does not hash");
    if (o == OK)
        o = bytes_hash(fd, path, c, f);
    if (o == OK && EVP_DigestFinal_ex(c, digest.bytes, NULL) != 1)
        o = fault_set(f, E_IO, "libcrypto does not hash");
    if (o == OK)
        *ret = digest;
    if (fd >= 0)
        close(fd);
    EVP_MD_CTX_free(c);
    EVP_MD_free(sha256);
    return o;
}
