#include "ceremony/answers.h"

#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/limits.h"

void answers_free(struct answers *a)
{
    if (a == NULL)
        return;
    yaml_free(a->root);
    free(a->file);
    free(a->folder);
    free(a->taken);
    free(a);
}

static const struct yaml *attempt_at(const struct answers *a, const struct step *step, size_t index)
{
    const struct yaml *all = yaml_get(a->root, "answers"), *of_step = NULL;

    of_step = all != NULL ? yaml_get(all, step->id) : NULL;
    if (of_step == NULL)
        return NULL;
    if (of_step->kind == YAML_LIST)
        return index < of_step->count ? of_step->items[index] : NULL;
    return index == 0 ? of_step : NULL;
}

const struct yaml *answers_peek(const struct answers *a, const struct step *step)
{
    return attempt_at(a, step, a->taken[step - a->script->steps]);
}

const struct yaml *answers_next(struct answers *a, const struct step *step)
{
    const struct yaml *attempt = answers_peek(a, step);

    if (attempt != NULL)
        a->taken[step - a->script->steps]++;
    return attempt;
}

const struct yaml *answers_last(const struct answers *a, const struct step *step)
{
    size_t taken = a->taken[step - a->script->steps];

    return taken > 0 ? attempt_at(a, step, taken - 1) : NULL;
}

enum outcome answers_key(const struct answers *a, const char *person, char **ret, struct fault *f)
{
    const struct yaml *keys = yaml_get(a->root, "keys"), *node = keys != NULL ? yaml_get(keys, person) : NULL;
    struct buf bytes = BUF(LIMIT_KEY_FILE);
    char *path = NULL;
    enum outcome o = OK;

    if (node == NULL)
        return fault_set(f, E_ABSENT, "%s names no key of %s under `keys`", a->file, person);
    if (node->kind != YAML_SCALAR)
        return yaml_fault(node, f, "the name of a file was expected");
    path = path_join(a->folder, node->scalar);
    o = path != NULL ? file_read(path, false, &bytes, f) : fault_memory(f);
    if (o == OK && strncmp(buf_str(&bytes), "pkcs11:", 7) == 0) {
        bytes.data[strcspn(buf_str(&bytes), "\r\n")] = '\0';
        *ret = strdup(buf_str(&bytes));
        o = *ret != NULL ? OK : fault_memory(f);
    } else if (o == OK) {
        *ret = path;
        path = NULL; /* the caller's */
    } else {
        yaml_fault_at(node, f);
    }
    buf_free(&bytes);
    free(path);
    return o;
}

/* Whether a step asks for something of this name. */
static bool name_listed(const struct step *step, const char *name)
{
    const char *names = step->action->answers;

    if (strcmp(names, "*") == 0)
        return step_with(step, name) != NULL;
    for (; *names != '\0'; names += strspn(names, " ")) {
        size_t len = 0;

        names += *names == '?';
        len = strcspn(names, " ");
        if (strlen(name) == len && memcmp(names, name, len) == 0)
            return true;
        names += len;
    }
    return false;
}

/* The first name that an attempt must have and has not; "" where it has all. */
static void name_missing(const struct step *step, const struct yaml *attempt, char ret[LIMIT_NAME + 1])
{
    const char *names = step->action->answers;

    ret[0] = '\0';
    for (size_t i = 0; strcmp(names, "*") == 0 && i < step->with_count && ret[0] == '\0'; i++) {
        if (attempt == NULL || yaml_get(attempt, step->with[i].name) == NULL)
            snprintf(ret, LIMIT_NAME + 1, "%s", step->with[i].name);
    }
    for (; strcmp(step->action->answers, "*") != 0 && *names != '\0' && ret[0] == '\0'; names += strspn(names, " ")) {
        size_t len = strcspn(names, " ");

        snprintf(ret, LIMIT_NAME + 1, "%.*s", (int)len, names);
        if (*names == '?' || (attempt != NULL && yaml_get(attempt, ret) != NULL))
            ret[0] = '\0';
        names += len;
    }
}

static enum outcome person_check(const struct yaml *node, const struct cast *cast, struct fault *f)
{
    char *person = NULL;
    enum outcome o = yaml_name(node, &person, f);

    if (o == OK && cast_role(cast, person) == NULL)
        o = yaml_fault(node, f, "%s fills no role under `people`", person);
    free(person);
    return o;
}

static enum outcome deviation_check(const struct yaml *map, const struct cast *cast, struct fault *f)
{
    char *text = NULL;
    enum outcome o = yaml_members(map, "accepted-by cause", f);

    if (o == OK)
        o = yaml_text(yaml_get(map, "cause"), &text, f);
    if (o == OK)
        o = person_check(yaml_get(map, "accepted-by"), cast, f);
    free(text);
    return o;
}

static enum outcome attempt_check(const struct step *step, const struct yaml *attempt, const struct cast *cast,
                                  struct fault *f)
{
    const struct yaml *deviation = yaml_get(attempt, "deviation"), *reject = yaml_get(attempt, "reject");
    char missing[LIMIT_NAME + 1];
    bool answers = false;

    if (attempt->kind != YAML_MAP)
        return yaml_fault(attempt, f, "an attempt was expected: a map of names and values");
    for (size_t i = 0; i < attempt->count; i++) {
        const struct yaml *key = attempt->keys[i];
        bool listed = name_listed(step, key->scalar);

        answers = answers || listed;
        if (!listed && strcmp(key->scalar, "deviation") != 0 && strcmp(key->scalar, "by") != 0)
            return yaml_fault(key, f, "step %s (%s) asks for nothing called \"%s\"", step->id, step->action->name,
                              key->scalar);
        if (listed && attempt->items[i]->kind != YAML_SCALAR)
            return yaml_fault(attempt->items[i], f, "text was expected");
    }
    if (deviation != NULL && deviation_check(deviation, cast, f) != OK)
        return f->outcome;
    if (step->action->kind == ACTION_APPROVE && reject != NULL && person_check(reject, cast, f) != OK)
        return f->outcome;
    name_missing(step, attempt, missing);
    if (missing[0] != '\0' && (answers || deviation == NULL))
        return yaml_fault(attempt, f, "step %s (%s) also needs \"%s\"", step->id, step->action->name, missing);
    return OK;
}

static enum outcome step_check(const struct answers *a, const struct step *step, const struct cast *cast,
                               struct fault *f)
{
    const struct yaml *all = yaml_get(a->root, "answers"), *attempt = NULL;
    char missing[LIMIT_NAME + 1];
    enum outcome o = OK;

    name_missing(step, NULL, missing);
    if (missing[0] != '\0' && attempt_at(a, step, 0) == NULL)
        return yaml_fault(all != NULL ? all : a->root, f, "step %s (%s) needs \"%s\" and has no answer", step->id,
                          step->action->name, missing);
    for (size_t i = 0; o == OK && (attempt = attempt_at(a, step, i)) != NULL; i++)
        o = attempt_check(step, attempt, cast, f);
    return o;
}

/* Everybody who may have to sign. */
static enum outcome keys_check(const struct answers *a, const struct cast *cast, struct fault *f)
{
    const struct yaml *keys = yaml_get(a->root, "keys");
    const char *person = NULL;

    if (keys != NULL && keys->kind != YAML_MAP)
        return yaml_fault(keys, f, "a map was expected: PERSON: FILE");
    for (size_t i = 0; keys != NULL && i < keys->count; i++) {
        if (cast_role(cast, keys->keys[i]->scalar) == NULL)
            return yaml_fault(keys->keys[i], f, "%s fills no role under `people`", keys->keys[i]->scalar);
    }
    for (size_t i = 0; i < a->script->step_count; i++) {
        const struct step *step = &a->script->steps[i];
        bool attest = step->action->kind == ACTION_ATTEST && !step->role->card_optional;

        if (!attest && step->action->kind != ACTION_APPROVE)
            continue;
        for (size_t n = 0; (person = cast_holder(cast, step->role->id, n)) != NULL; n++) {
            if (keys == NULL || yaml_get(keys, person) == NULL)
                return yaml_fault(keys != NULL ? keys : a->root, f,
                                  "%s may have to sign in step %s and has no key under `keys`", person, step->id);
        }
    }
    return OK;
}

static enum outcome answers_check(const struct answers *a, const struct cast *cast, struct fault *f)
{
    const struct yaml *all = yaml_get(a->root, "answers");
    enum outcome o = OK;

    if (all != NULL && all->kind != YAML_MAP)
        return yaml_fault(all, f, "a map was expected: \"STEP\": {NAME: VALUE}");
    for (size_t i = 0; all != NULL && i < all->count; i++) {
        if (script_step(a->script, all->keys[i]->scalar) == NULL)
            return yaml_fault(all->keys[i], f, "the script %s has no step %s", a->script->id, all->keys[i]->scalar);
    }
    for (size_t i = 0; i < a->script->step_count && o == OK; i++)
        o = step_check(a, &a->script->steps[i], cast, f);
    return o == OK ? keys_check(a, cast, f) : o;
}

static enum outcome document_read(const char *path, const char *names, struct yaml **ret, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_DOCUMENT);
    struct yaml *root = NULL;
    enum outcome o = file_read(path, false, &bytes, f);

    if (o == OK)
        o = yaml_parse(path, buf_span(&bytes), &root, f);
    if (o == OK)
        o = yaml_members(root, names, f);
    if (o == OK) {
        *ret = root;
        root = NULL; /* the caller's */
    }
    yaml_free(root);
    buf_free(&bytes);
    return o;
}

enum outcome answers_read(const char *path, const struct script *s, struct answers **ret, struct cast *ret_cast,
                          struct fault *f)
{
    struct answers *a = calloc(1, sizeof *a);
    struct cast cast = {0};
    enum outcome o = OK;

    if (a == NULL)
        return fault_memory(f);
    a->script = s;
    a->file = strdup(path);
    a->folder = path_folder(path);
    a->taken = calloc(s->step_count, sizeof *a->taken);
    if (a->file == NULL || a->folder == NULL || a->taken == NULL)
        o = fault_memory(f);
    if (o == OK)
        o = document_read(a->file, "?answers ?keys people", &a->root, f);
    if (o == OK)
        o = cast_from_yaml(yaml_get(a->root, "people"), s, &cast, f);
    if (o == OK)
        o = answers_check(a, &cast, f);
    if (o == OK) {
        *ret = a;
        *ret_cast = cast;
        a = NULL;                /* the caller's */
        cast = (struct cast){0}; /* the caller's */
    }
    cast_clear(&cast);
    answers_free(a);
    return o;
}

enum outcome people_read(const char *path, const struct script *s, struct cast *ret, struct fault *f)
{
    struct yaml *root = NULL;
    enum outcome o = document_read(path, "people", &root, f);

    if (o == OK)
        o = cast_from_yaml(yaml_get(root, "people"), s, ret, f);
    yaml_free(root);
    return o;
}
