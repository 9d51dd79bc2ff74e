#include "ceremony/run_actors.h"

#include <string.h>

#include "ceremony/run_talk.h"

/* How many people `by` asks for. */
static size_t actors_wanted(const struct runner *r, const struct step *s)
{
    switch (s->by) {
    case BY_EACH:
        return cast_holders(&r->cast, s->role->id);
    case BY_COUNT:
        return s->count;
    case BY_HOLDER:
    case BY_ANY:
        break;
    }
    return 1;
}

/* Whoever went in or out in this very step, before a crash, may be of it again. */
static bool may_act(const struct runner *r, const struct step *s, const char *person)
{
    bool present = record_present(&r->record, person);

    if (s->action->kind == ACTION_ENTER)
        return !present || record_find(&r->record, ENTRY_ENTERED, s->id, person, 0) != NULL;
    return present ||
           (s->action->kind == ACTION_LEAVE && record_find(&r->record, ENTRY_LEFT, s->id, person, 0) != NULL);
}

static enum outcome actor_add(struct runner *r, const struct step *s, const char *person, struct fault *f)
{
    const char *role = cast_role(&r->cast, person);

    if (role == NULL)
        return fault_set(f, E_INVALID, "step %s: %s is nobody of this ceremony", s->id, person);
    if (strcmp(role, s->role->id) != 0)
        return fault_set(f, E_INVALID, "step %s is for %s; %s is %s", s->id, s->role->id, person, role);
    if (!may_act(r, s, person))
        return fault_set(f, E_INVALID, "step %s: %s %s", s->id, person,
                         s->action->kind == ACTION_ENTER ? "has entered already" : "has not entered");
    if (strings_have(&r->actors, person))
        return fault_set(f, E_INVALID, "step %s: %s is named twice", s->id, person);
    return strings_add(&r->actors, person) ? OK : fault_memory(f);
}

/* The first who may, as many as are wanted; everybody where each is. */
static enum outcome actors_default(struct runner *r, const struct step *s, struct fault *f)
{
    size_t wanted = actors_wanted(r, s);
    const char *person = NULL;
    enum outcome o = OK;

    for (size_t i = 0; o == OK && r->actors.count < wanted && (person = cast_holder(&r->cast, s->role->id, i)) != NULL;
         i++) {
        if (may_act(r, s, person) || s->by == BY_HOLDER || s->by == BY_EACH)
            o = actor_add(r, s, person, f);
    }
    if (o == OK && r->actors.count < wanted)
        o = fault_set(f, E_REFUSED, "step %s asks for %zu %s, and %zu are in the room", s->id, wanted, s->role->id,
                      r->actors.count);
    return o == E_INVALID ? fault_set(f, E_REFUSED, "%s", f->text) : o;
}

/* The names on one line. */
static enum outcome actors_line(struct runner *r, const struct step *s, char *line, struct fault *f)
{
    char *rest = NULL;
    enum outcome o = OK;

    strings_free(&r->actors);
    for (char *name = strtok_r(line, " ,", &rest); name != NULL && o == OK; name = strtok_r(NULL, " ,", &rest))
        o = actor_add(r, s, name, f);
    if (o == OK && r->actors.count != actors_wanted(r, s))
        o = fault_set(f, E_INVALID, "%zu people were expected", actors_wanted(r, s));
    return o;
}

/* More people may act than are wanted: the terminal says who does. */
static enum outcome actors_ask(struct runner *r, const struct step *s, struct fault *f)
{
    struct buf prompt = BUF(4096), line = BUF(4096);
    enum outcome o = OK;

    buf_puts(&prompt, "Who? [Enter]");
    for (size_t i = 0; i < r->actors.count; i++)
        buf_putf(&prompt, " %s", r->actors.items[i]);
    buf_puts(&prompt, "  [b] break:");
    for (;;) {
        o = talk_read(buf_str(&prompt), &line, f);
        if (o == E_REFUSED || (o == OK && strcmp(buf_str(&line), "b") == 0)) {
            r->stopped = true;
            o = fault_set(f, E_REFUSED, "%s", "");
        }
        if (o != OK || line.len == 0)
            break;
        o = actors_line(r, s, (char *)line.data, f);
        if (o != E_INVALID)
            break;
        talk_note(TONE_BAD, "%s", f->text);
        strings_free(&r->actors);
        o = actors_default(r, s, f);
        if (o != OK)
            break;
    }
    buf_free(&line);
    buf_free(&prompt);
    return o;
}

/* `by` of the attempt that comes next. */
static enum outcome actors_answer(struct runner *r, const struct step *s, const struct yaml *by, struct fault *f)
{
    struct strings names = {0};
    enum outcome o = yaml_strings(by, &names, f);

    strings_free(&r->actors);
    if (o != OK)
        return o;
    for (size_t i = 0; i < names.count && o == OK; i++)
        o = actor_add(r, s, names.items[i], f);
    if (o == OK && r->actors.count != actors_wanted(r, s))
        o = fault_set(f, E_INVALID, "step %s: %zu people were expected", s->id, actors_wanted(r, s));
    strings_free(&names);
    return o == E_INVALID ? yaml_fault_at(by, f) : o;
}

enum outcome actors_choose(struct runner *r, const struct step *s, struct fault *f)
{
    const struct yaml *attempt = r->answers != NULL ? answers_peek(r->answers, s) : NULL,
                      *by = attempt != NULL ? yaml_get(attempt, "by") : NULL;
    bool open = s->by == BY_ANY || s->by == BY_COUNT;
    size_t able = 0;
    const char *person = NULL;
    enum outcome o = OK;

    strings_free(&r->actors);
    if (by != NULL)
        return actors_answer(r, s, by, f);
    o = actors_default(r, s, f);
    for (size_t i = 0; (person = cast_holder(&r->cast, s->role->id, i)) != NULL; i++)
        able += may_act(r, s, person);
    return o == OK && open && r->answers == NULL && able > r->actors.count ? actors_ask(r, s, f) : o;
}
