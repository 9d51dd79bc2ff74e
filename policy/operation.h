#ifndef QUORATE_POLICY_OPERATION_H
#define QUORATE_POLICY_OPERATION_H

/* What somebody wants. The first ten are PKCS#11's, the others the estate's own. */
#define OPERATIONS(X)                                                                                                  \
    X(GENERATE, "generate")                                                                                            \
    X(IMPORT, "import")                                                                                                \
    X(DERIVE, "derive")                                                                                                \
    X(COPY, "copy")                                                                                                    \
    X(MODIFY, "modify")                                                                                                \
    X(WRAP, "wrap")                                                                                                    \
    X(USE, "use")                                                                                                      \
    X(DESTROY, "destroy")                                                                                              \
    X(INITIALISE, "initialise")                                                                                        \
    X(SET_PIN, "set-pin")                                                                                              \
    X(ADOPT_POLICY, "adopt-policy")                                                                                    \
    X(ENROL_SITE, "enrol-site")                                                                                        \
    X(RETIRE_SITE, "retire-site")                                                                                      \
    X(OPEN_CEREMONY, "open-ceremony")                                                                                  \
    X(REPLICATE, "replicate")                                                                                          \
    X(PROMOTE, "promote")                                                                                              \
    X(SUSPEND, "suspend")                                                                                              \
    X(RESUME, "resume")                                                                                                \
    X(CHANGE_LOG_KEY, "change-log-key")                                                                                \
    X(READOPT_LOG, "readopt-log")

enum operation {
#define X(name, text) OP_##name,
    OPERATIONS(X)
#undef X
        OP_COUNT
};

const char *operation_name(enum operation op);
int operation_parse(const char *text); /* the operation, or -1 */
#endif
