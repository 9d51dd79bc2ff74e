#include "ceremony/http.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"

static size_t take(char *data, size_t size, size_t count, void *context)
{
    struct buf *b = context;

    buf_put(b, data, size * count);
    return b->failed ? 0 : size * count;
}

static bool options_set(CURL *curl, const char *url, struct span body, struct curl_slist *headers, struct buf *answer)
{
    return curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TIMEOUT, LIMIT_HTTP) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)body.data) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer) == CURLE_OK;
}

enum outcome http_post(const char *prefix, const char *path, const char *type, struct span body, long *ret_status,
                       struct buf *ret, struct fault *f)
{
    CURL *curl = curl_easy_init();
    struct buf url = BUF(4096), header = BUF(256);
    struct curl_slist *headers = NULL;
    size_t len = strlen(prefix);
    CURLcode code = CURLE_OK;
    long status = 0;
    enum outcome o = OK;

    buf_put(&url, prefix, len > 0 && prefix[len - 1] == '/' ? len - 1 : len);
    buf_putf(&url, "/%s", path);
    buf_putf(&header, "Content-Type: %s", type);
    headers = curl_slist_append(NULL, buf_str(&header));
    buf_clear(ret);
    if (curl == NULL || headers == NULL || url.failed || header.failed ||
        !options_set(curl, buf_str(&url), body, headers, ret)) {
        o = fault_memory(f);
        goto out;
    }
    code = curl_easy_perform(curl);
    if (code == CURLE_OK)
        code = curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK || ret->failed)
        o = fault_set(f, E_DEVICE, "%s: %s", buf_str(&url),
                      ret->failed ? "the answer is too long" : curl_easy_strerror(code));
    else
        *ret_status = status;
out:
    curl_slist_free_all(headers);
    if (curl != NULL)
        curl_easy_cleanup(curl);
    buf_free(&header);
    buf_free(&url);
    return o;
}
