#include "ceremony_fixture.h"

#include "policy/operation.h"

static const struct {
    unsigned line;
    const char *instead, *said;
} bad[] = {
    {1, "ceremony: A key\nceremonie: x\n", "s.yaml:2:1: unknown key \"ceremonie\", did you mean \"ceremony\"?"},
    {2, "id: A key\n", "s.yaml:2:5: \"A key\" is no name; "},
    {2, "", "s.yaml:1:1: the key \"id\" is missing"},
    {3, "parameters: [a]\n", "s.yaml:3:13: a map of parameters was expected: NAME: VALUE"},
    {3, "parameters: {1key: x, key: y}\n", "s.yaml:3:14: \"1key\" is no name of a parameter; "},
    {5, "  admin: {off: ceremony-administrator}\n", "s.yaml:5:11: unknown key \"off\", did you mean \"of\"?"},
    {6, "  holder: {of: key-custodian, at-least: 0}\n", "s.yaml:6:41: 0 is out of range; "},
    {7, "  witness: {of: witness, organisation-not-of: witness}\n",
     "s.yaml:7:47: \"witness\" names no other role of this script"},
    {7, "  witness: {of: witness, card: perhaps}\n", "s.yaml:7:32: \"perhaps\" is not known here; "},
    {11, "      - {step: Go in, by: boss, do: enter}\n", "s.yaml:11:27: \"boss\" names no role of this script; "},
    {11, "      - {step: Go in, by: admin, do: entre}\n", "s.yaml:11:38: there is no action \"entre\"; "},
    {11, "      - {step: Go in, by: admin, do: decide}\n", "s.yaml:11:38: not yet: decide"},
    {11, "      - {step: Go in, by: admin, do: enter, minutes: -1}\n", "s.yaml:11:54: \"-1\" is no number; "},
    {12, "      - {step: Go in, by: 3 holder, do: enter}\n",
     "s.yaml:12:27: \"3 holder\" asks for more people than the role has for certain (at-least: 2)"},
    {13, "      - {step: Listen, by: admin, do: say}\n", "s.yaml:13:9: the action say needs `say`: "},
    {14, "      - step: Open the bag of {hms}\n",
     "s.yaml:14:15: {hms} is neither a parameter nor the name in `for-each`"},
    {15, "        for-each: hsm of [a, b]\n",
     "s.yaml:15:19: \"hsm of [a, b]\" is no loop; \"NAME in [A, B]\" was expected"},
    {15, "        for-each: hsm in []\n", "s.yaml:15:19: an empty list; \"NAME in [A, B]\" was expected"},
    {15, "        for-each: hsm in [a, a]\n", "s.yaml:15:19: \"a\" stands twice in the list"},
    {15, "        for-each: key in [a, b]\n", "s.yaml:15:19: {key} is a parameter already; another name was expected"},
    {18, "        with: {item: \"{hsm}\", bag: A}\n", "s.yaml:18:31: unknown key \"bag\""},
    {18, "", "s.yaml:14:9: open-bag needs `with`: item"},
    {22, "      - {step: Approve, by: 2 holder, do: approve}\n", "s.yaml:22:9: approve needs `for`: "},
    {22, "      - {step: Approve, by: admin, do: approve, for: the-key}\n",
     "s.yaml:22:29: an administrator approves nothing; another role was expected"},
    {22, "      - {step: Approve, by: 2 holder, do: approve, for: a-key}\n",
     "s.yaml:22:9: step 2.1: `for: a-key` is neither the number of a step nor what one saves"},
    {22, "      - {step: Approve, by: 2 holder, do: approve, for: \"1.1\"}\n",
     "s.yaml:22:9: step 2.1: `for: 1.1` is not a later step; approvals come first"},
    {22, "      - {step: Approve, by: 2 holder, do: approve, for: \"2.3\"}\n",
     "s.yaml:22:9: step 2.1: `for: 2.3` is a step that needs nobody's approval"},
    {25, "        do: replicate\n", "s.yaml:26:45: unknown key \"type\""},
    {26, "        with: {token: root, label: a, site: b}\n", "s.yaml:26:39: unknown key \"site\""},
    {26, "        with: {token: root, label: \"{key}\", type: \"EC:P-255\"}\n",
     "s.yaml:26:51: \"EC:P-255\" is no type of key pair; "},
    {24, "        by: any holder\n", "s.yaml:24:13: generate-key-pair is asked for by one person, "},
    {24, "        by: admin\n        for: the-key\n",
     "s.yaml:25:14: `for` belongs to approve, not to generate-key-pair"},
    {28, "      - {step: Note, by: any witness, do: record, with: {n: \"^[0-9\"}}\n",
     "s.yaml:28:61: not a POSIX extended regular expression: "},
    {19, "        confidential: {item: c}\n", "s.yaml:19:24: open-bag has no answer \"item\"; "},
    {19, "        confidential: {bag: C c}\n", "s.yaml:19:29: \"C c\" is no name; "},
    {19, "        confidential: []\n", "s.yaml:19:23: a map was expected: NAME: CLASS"},
    {13, "      - {step: Go in, by: each witness, do: enter, confidential: {who: c}}\n",
     "s.yaml:13:67: enter has no answer \"who\"; "},
    {28, "      - {step: Note, by: any witness, do: record, with: {n: a}, confidential: {m: c}}\n",
     "s.yaml:28:80: record has no answer \"m\"; "},
    {28, "      - {step: Come, by: any witness, do: arrive, with: {token: t, site: s}, confidential: c}\n",
     "s.yaml:28:92: what is said in arrive stands in the log for everybody; "},
    {28, "      - {step: Note, by: any witness, do: record}\n", "s.yaml:28:9: record needs `with`: names and patterns"},
    {28, "      - {step: Note, by: any witness, do: say, say: Hear, saves: the-key}\n",
     "s.yaml:28:9: step 2.3: another step saves \"the-key\", or has that number; names were expected to differ"},
    {13, "", "s.yaml:27:9: step 2.3: nobody of the role witness has entered yet; "},
    {31, "", "s.yaml:30:9: step 2.5: the last step must be `do: close`"},
    {30, "      - {step: Close, by: admin, do: close}\n", "s.yaml:30:9: step 2.5: only the last step may close"},
    {9, "  - act: Nothing\n    steps: []\n  - act: Begin\n", "s.yaml:10:12: a list of steps was expected"},
};

static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct script *s = NULL;
        struct fault f = {.outcome = OK};

        assert_int_equal(script_with(bad[i].line, bad[i].instead, &s, &f), E_INVALID);
        assert_null(s);
        if (strncmp(f.text, bad[i].said, strlen(bad[i].said)) != 0)
            fail_msg("case %zu: \"%s\" was expected, not \"%s\"", i, bad[i].said, f.text);
    }
}

static void test_expansion(void **state)
{
    static const char *const ids[] = {"1.1", "1.2", "1.3", "1.4.1", "1.4.2", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6"};
    struct script *s = script_made();

    (void)state;
    assert_int_equal(s->step_count, sizeof ids / sizeof *ids);
    for (size_t i = 0; i < s->step_count; i++)
        assert_string_equal(s->steps[i].id, ids[i]);
    assert_string_equal(script_step(s, "1.4.2")->text, "Open the bag of b");
    assert_string_equal(step_with(script_step(s, "1.4.1"), "item"), "a");
    assert_string_equal(s->acts[1].title, "Make root-g1");
    assert_string_equal(step_with(script_step(s, "2.2"), "label"), "root-g1");
    /* a brace that names nothing is the pattern's own */
    assert_string_equal(step_with(script_step(s, "2.3"), "n"), "^[0-9]{2}$");
    assert_ptr_equal(script_step(s, "2.1")->target, script_step(s, "2.2"));
    assert_ptr_equal(script_saved(s, "the-key"), script_step(s, "2.2"));
    assert_int_equal(script_step(s, "2.1")->by, BY_COUNT);
    assert_int_equal(script_step(s, "2.1")->count, 2);
    assert_int_equal(script_step(s, "1.2")->by, BY_EACH);
    assert_int_equal(s->acts[0].minutes, 9);
    assert_int_equal(s->acts[0].steps, 5);
    assert_true(script_role(s, "witness")->card_optional);
    assert_null(script_step(s, "1.4"));
    assert_null(step_with(script_step(s, "1.1"), "item"));
    script_free(s);
}

/* The canonical form is a script too, and the same one. */
static void test_canonical(void **state)
{
    struct script *s = script_made(), *again = NULL;
    struct fault f = {.outcome = OK};

    (void)state;
    if (script_parse("s.json", buf_span(&s->canonical_json), &again, &f) != OK)
        fail_msg("%s", f.text);
    assert_true(digest_equal(&s->canonical, &again->canonical));
    assert_true(digest_equal(&s->canonical, &again->digest));
    assert_int_equal(again->step_count, s->step_count);
    for (size_t i = 0; i < s->step_count; i++)
        assert_string_equal(again->steps[i].text, s->steps[i].text);
    script_free(again);
    script_free(s);
}

static void test_actions(void **state)
{
    /* those of the design's list that a session may meet, each once */
    static const char *const unbuilt[] = {"print", "open-safe", "zeroise", "destroy", "issue-crl", "decide"};
    size_t count = 0;

    (void)state;
    for (unsigned i = 0; action_at(i) != NULL; i++) {
        const struct action *a = action_at(i);

        count++;
        assert_ptr_equal(action_find(a->name), a);
        /* what needs approval is never run twice, and cannot be left out */
        if (a->operation >= 0) {
            assert_true(a->effect);
            assert_false(a->skippable);
        }
    }
    assert_int_equal(count, 42);
    for (size_t i = 0; i < sizeof unbuilt / sizeof *unbuilt; i++)
        assert_int_equal(action_find(unbuilt[i])->kind, ACTION_UNBUILT);
    assert_int_equal(action_find("generate-key-pair")->operation, OP_GENERATE);
    assert_int_equal(action_find("replicate")->operation, OP_REPLICATE);
    assert_int_equal(action_find("issue-certificate")->operation, OP_USE);
    assert_int_equal(action_find("confirm")->operation, -1);
    assert_null(action_find("Enter"));
    assert_null(action_find(""));
}

/* All of a step, one answer of it, or what it is that an approval makes ready. */
static void test_classes(void **state)
{
    struct script *s = NULL;
    struct fault f = {.outcome = OK};

    (void)state;
    assert_int_equal(script_with(19, "        confidential: custody\n", &s, &f), OK);
    assert_string_equal(step_class(script_step(s, "1.4.2"), "answer", "bag"), "custody");
    assert_string_equal(step_class(script_step(s, "1.4.1"), "deviation", NULL), "custody");
    assert_null(step_class(script_step(s, "1.3"), "answer", "bag"));
    script_free(s);
    assert_int_equal(script_with(28,
                                 "      - {step: Note, by: any witness, do: record, with: {n: a, m: a}, "
                                 "confidential: {m: personal}}\n",
                                 &s, &f),
                     OK);
    assert_string_equal(step_class(script_step(s, "2.3"), "answer", "m"), "personal");
    assert_null(step_class(script_step(s, "2.3"), "answer", "n"));
    assert_null(step_class(script_step(s, "2.3"), "deviation", NULL));
    script_free(s);
    assert_int_equal(script_with(27, "        saves: the-key\n        confidential: commercial\n", &s, &f), OK);
    assert_string_equal(step_class(script_step(s, "2.1"), "artifact", NULL), "commercial");
    script_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),  cmocka_unit_test(test_expansion), cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_actions), cmocka_unit_test(test_classes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
