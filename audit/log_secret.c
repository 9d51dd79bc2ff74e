#include <string.h>

#include "audit/log_inner.h"
#include "core/limits.h"

/* The log's secret key, and its change: `key.new` is made before people are asked, the entry log-key names it, and whoever
 * appends next puts it in the place of `key`. */

static enum outcome read_secret(const char *path, EVP_PKEY **ret, uint8_t ret_public[32], struct fault *f)
{
    struct buf pem = BUF_SECRET(LIMIT_NOTE);
    enum outcome rc = file_read(path, true, &pem, f);
    if (!rc)
        rc = log_key_load(buf_span(&pem), ret, ret_public, f);
    buf_free(&pem);
    return rc ? fault_context(f, "log key %s", path) : OK;
}

/* The entry for it is durable: the old key goes, the new one stands in its place. */
static enum outcome move_in(const struct log *l, const struct note_key *key, struct fault *f)
{
    struct buf pem = BUF_SECRET(LIMIT_NOTE), vkey = BUF(LIMIT_NOTE);
    note_key_put(key, &vkey);
    buf_puts(&vkey, "\n");
    enum outcome rc = vkey.failed ? fault_memory(f) : file_replace(l->vkey_file, buf_span(&vkey), 0644, f);
    if (rc)
        goto out;
    log_step("vkey-changed");
    rc = file_read(l->next_key_file, true, &pem, f);
    if (!rc)
        rc = file_replace(l->key_file, buf_span(&pem), 0600, f);
    if (rc)
        goto out;
    log_step("key-changed");
    rc = file_remove(l->next_key_file, f);
out:
    buf_free(&pem);
    buf_free(&vkey);
    return rc;
}

static bool holds(const struct log *l, const struct note_key *wanted)
{
    return l->secret && !memcmp(l->signer.public_key, wanted->public_key, sizeof wanted->public_key);
}

/* The key that is here is not the one in force. */
static enum outcome other_key(const struct log *l, const struct note_key *wanted, struct fault *f)
{
    const struct tree *t = &l->tree;
    const struct tree_key *last = &t->keys[t->key_count - 1];
    if (t->key_count > 1 && strcmp(t->keys[t->key_count - 2].key.name, wanted->name) != 0)
        return fault_set(
            f, E_REFUSED,
            "this home is closed: its log goes on elsewhere as %s since entry %llu; work there, or put that "
            "home's key into %s",
            wanted->name, (unsigned long long)last->seq, l->next_key_file);
    return fault_set(f, E_REFUSED, "%s is not the key that the log's %s names", l->key_file,
                     t->key_count > 1 ? "last log-key entry" : "genesis");
}

enum outcome log_load_secret(struct log *l, struct fault *f)
{
    const struct note_key *wanted = tree_key(&l->tree, log_size(l) + 1);
    uint8_t public[32];
    EVP_PKEY *secret = NULL;
    if (holds(l, wanted))
        return OK;
    enum outcome rc = read_secret(l->key_file, &secret, public, f);
    bool other = rc == E_ABSENT || (!rc && memcmp(public, wanted->public_key, sizeof public) != 0);
    if (other && l->tree.key_count > 1 && file_exists(l->next_key_file)) {
        EVP_PKEY_free(secret);
        secret = NULL;
        rc = read_secret(l->next_key_file, &secret, public, f);
        if (!rc && !memcmp(public, wanted->public_key, sizeof public))
            rc = move_in(l, wanted, f);
    }
    if (!rc && memcmp(public, wanted->public_key, sizeof public) != 0)
        rc = other_key(l, wanted, f);
    if (rc)
        goto out;
    EVP_PKEY_free(l->secret);
    l->secret = secret;
    secret = NULL; /* taken by the log */
    l->signer = *wanted;
out:
    EVP_PKEY_free(secret);
    return rc;
}

enum outcome log_load_voucher(struct log *l, struct fault *f)
{
    const struct note_key *wanted = tree_key(&l->tree, log_size(l) + 1);
    uint8_t public[32];
    EVP_PKEY *secret = NULL;
    if (l->poisoned || l->broken || l->grouped)
        return fault_set(f, E_REFUSED, "log %s: what it holds is not known to be durable", l->entries);
    if (holds(l, wanted))
        return OK;
    enum outcome rc = read_secret(l->key_file, &secret, public, f);
    if (!rc && memcmp(public, wanted->public_key, sizeof public) != 0)
        rc = fault_set(f, E_REFUSED, "%s is not the key in force", l->key_file);
    if (rc) {
        EVP_PKEY_free(secret);
        return rc;
    }
    EVP_PKEY_free(l->secret);
    l->secret = secret; /* taken by the log */
    l->signer = *wanted;
    return OK;
}

enum outcome log_next_key(struct log *l, struct note_key *ret, struct fault *f)
{
    struct buf pem = BUF_SECRET(LIMIT_NOTE);
    EVP_PKEY *secret = NULL;
    uint8_t public[32];
    enum outcome rc = OK;
    if (!l->lock)
        return fault_set(f, E_REFUSED, "log %s: a new key is made under the append lock only", l->entries);
    if (file_exists(l->next_key_file)) {
        rc = read_secret(l->next_key_file, &secret, public, f);
    } else {
        rc = log_key_generate(&secret, &pem, public, f);
        if (!rc)
            rc = file_create(l->next_key_file, buf_span(&pem), 0600, f);
    }
    if (!rc)
        rc = note_key_make(l->key.name, public, ret, f);
    EVP_PKEY_free(secret);
    buf_free(&pem);
    return rc;
}
