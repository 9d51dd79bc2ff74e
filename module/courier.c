#include "module/courier.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/encode.h"
#include "core/limits.h"

enum { WORDS = 64, SAID = 400, CHILD_STACK = 256 * 1024, BY_SIGNAL = 126, NOT_STARTED = 127 };

struct run {
    const struct strings *command;
    char path[1024], home[600];
    char *argv[WORDS + 1], *environment[4];
    int in, out, err; /* our ends; -1: closed */
    int theirs[3];    /* the command's */
    pid_t pid;        /* 0: none, or reaped */
    char *stack;      /* of the children; in ours only until they have begun */
    struct timespec until;
    struct buf *answer, said;
};

static enum outcome courier_fault(const struct run *r, struct fault *f, const char *what)
{
    struct buf said = BUF(2 * SAID);
    printable_put(&said, buf_span(&r->said));
    fault_set(f, E_DEVICE, "the courier %s %s%s%s", r->command->items[0], what, said.len > 0 ? ": it says: " : "",
              buf_str(&said));
    buf_free(&said);
    return E_DEVICE;
}

/* A name is looked for where programs of the system are, whatever the host's PATH. */
static enum outcome program_find(struct run *r, struct fault *f)
{
    static const char *const folders[] = {"/usr/local/bin", "/usr/bin", "/bin"};
    const char *name = r->command->items[0];
    if (name[0] == '/') {
        if (strlen(name) < sizeof r->path)
            memcpy(r->path, name, strlen(name) + 1);
        return r->path[0] != '\0' && access(r->path, X_OK) == 0 ? OK : courier_fault(r, f, "cannot be run");
    }
    if (strchr(name, '/') != NULL)
        return courier_fault(r, f, "is neither a name nor a path from the root");
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        if ((size_t)snprintf(r->path, sizeof r->path, "%s/%s", folders[i], name) < sizeof r->path &&
            access(r->path, X_OK) == 0)
            return OK;
    }
    return courier_fault(r, f, "is not in /usr/local/bin, /usr/bin or /bin");
}

static enum outcome words_prepare(struct run *r, struct fault *f)
{
    static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", locale[] = "LC_ALL=C";
    struct passwd entry, *found = NULL;
    char room[4096];
    if (r->command->count > WORDS)
        return courier_fault(r, f, "has too many words");
    for (size_t i = 0; i < r->command->count; i++)
        r->argv[i] = r->command->items[i];
    bool known = getpwuid_r(getuid(), &entry, room, sizeof room, &found) == 0 && found != NULL;
    snprintf(r->home, sizeof r->home, "HOME=%s", known ? entry.pw_dir : "/");
    r->environment[0] = path;
    r->environment[1] = r->home;
    r->environment[2] = locale;
    return OK;
}

/* Socket pairs, for what is written to a peer that is gone can then be kept from making a signal. */
static enum outcome ways_open(struct run *r, struct fault *f)
{
    int *const ours[] = {&r->in, &r->out, &r->err};
    for (size_t i = 0; i < 3; i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
            return fault_errno(f, "cannot open a way to the courier", r->command->items[0]);
        *ours[i] = pair[0];
        r->theirs[i] = pair[1];
        if (fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0)
            return fault_errno(f, "cannot open a way to the courier", r->command->items[0]);
    }
    return OK;
}

static void fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* The command-to-be, in the keeper's memory until it is the command: nothing but system calls. */
static int command_child(void *argument)
{
    struct run *r = argument;
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigset_t none;
    int high[3];
    /* Out of the way of 0, 1 and 2 first. */
    for (int i = 0; i < 3; i++)
        if ((high[i] = fcntl(r->theirs[i], F_DUPFD_CLOEXEC, 3)) < 0)
            _exit(NOT_STARTED);
    for (int i = 0; i < 3; i++)
        if (dup2(high[i], i) < 0)
            _exit(NOT_STARTED);
    if (close_range(3, ~0U, 0) != 0 || chdir("/") != 0)
        _exit(NOT_STARTED);
    for (int s = 1; s < NSIG; s++)
        sigaction(s, &usual, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(r->path, r->argv, r->environment);
    _exit(NOT_STARTED);
}

/* The keeper, in a copy of our memory: the command is its child, not the host's. It takes no signal but SIGKILL. */
static int keeper_child(void *argument)
{
    struct run *r = argument;
    struct sigaction usual = {.sa_handler = SIG_DFL};
    int status = 0;
    if (setsid() < 0 || sigaction(SIGCHLD, &usual, NULL) != 0)
        _exit(NOT_STARTED);
    pid_t pid = clone(command_child, r->stack + CHILD_STACK / 2, CLONE_VM | CLONE_VFORK | SIGCHLD, r);
    close_range(0, ~0U, 0);
    while (pid > 0 && waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            _exit(NOT_STARTED);
    _exit(pid <= 0 ? NOT_STARTED : WIFEXITED(status) ? WEXITSTATUS(status) : BY_SIGNAL);
}

/* A child whose end sends no signal, which only a wait for exactly such children sees: but that lasts no longer than until
 * it runs another program (clone(2)), so it runs none and keeps the one that does. */
static enum outcome child_begin(struct run *r, struct fault *f)
{
    sigset_t all, before;
    r->stack = mmap(NULL, CHILD_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (r->stack == MAP_FAILED)
        return fault_memory(f);
    /* The host's handlers may not run in either. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r->pid = clone(keeper_child, r->stack + CHILD_STACK, 0, r);
    int why = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    munmap(r->stack, CHILD_STACK);
    for (size_t i = 0; i < 3; i++)
        fd_close(&r->theirs[i]);
    if (r->pid > 0)
        return OK;
    r->pid = 0;
    errno = why;
    return fault_errno(f, "cannot start the courier", r->command->items[0]);
}

/* Milliseconds that are left, at least 0. */
static int time_left(const struct run *r)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ms = (int64_t)(r->until.tv_sec - now.tv_sec) * 1000 + (r->until.tv_nsec - now.tv_nsec) / 1000000;
    return ms < 0 ? 0 : ms > 1000000 ? 1000000 : (int)ms;
}

/* What the command takes of the message now; its reading no further is no fault. */
static void message_give(struct run *r, struct span *message)
{
    ssize_t n = send(r->in, message->data, message->len, MSG_NOSIGNAL);
    if (n > 0) {
        message->data += n;
        message->len -= (size_t)n;
    }
    if (message->len == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        fd_close(&r->in);
}

/* *fd is closed at its end. False: more came than ret holds. */
static bool output_take(int *fd, struct buf *ret, bool cut)
{
    char piece[16384];
    ssize_t n = recv(*fd, piece, sizeof piece, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        fd_close(fd);
    if (n <= 0)
        return true;
    size_t room = ret->max - ret->len, take = (size_t)n < room ? (size_t)n : room;
    buf_put(ret, piece, take);
    return cut || (take == (size_t)n && !ret->failed);
}

static enum outcome exchange(struct run *r, struct span message, struct fault *f)
{
    while (r->out >= 0) {
        struct pollfd fds[] = {{r->in, POLLOUT, 0}, {r->out, POLLIN, 0}, {r->err, POLLIN, 0}};
        int ready = poll(fds, 3, time_left(r));
        if (ready < 0 && errno != EINTR)
            return fault_errno(f, "cannot wait for the courier", r->command->items[0]);
        if (ready == 0)
            return courier_fault(r, f, "did not answer in time");
        if (r->in >= 0 && fds[0].revents != 0)
            message_give(r, &message);
        if (r->err >= 0 && fds[2].revents != 0)
            output_take(&r->err, &r->said, true);
        if (fds[1].revents != 0 && !output_take(&r->out, r->answer, false))
            return courier_fault(r, f, "printed more than an answer may be");
    }
    return OK;
}

/* Waits for its end as long as there is time. */
static enum outcome child_end(struct run *r, struct fault *f)
{
    static const struct timespec pause = {0, 2000000};
    siginfo_t info = {.si_pid = 0};
    int status = 0;
    while (info.si_pid != r->pid) {
        if (waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) != 0 && errno != EINTR)
            return fault_errno(f, "cannot wait for the courier", r->command->items[0]);
        if (info.si_pid != r->pid && time_left(r) == 0)
            return courier_fault(r, f, "did not end in time");
        if (info.si_pid != r->pid)
            nanosleep(&pause, NULL);
    }
    kill(-r->pid, SIGKILL); /* what it may have left behind; the number is ours until it is waited for */
    while (waitpid(r->pid, &status, __WALL) < 0 && errno == EINTR)
        ;
    r->pid = 0;
    if (r->err >= 0)
        output_take(&r->err, &r->said, true);
    if (WIFSIGNALED(status) || WEXITSTATUS(status) == BY_SIGNAL)
        return courier_fault(r, f, "was ended by a signal");
    if (WEXITSTATUS(status) == NOT_STARTED)
        return courier_fault(r, f, "could not be started");
    return WEXITSTATUS(status) == 0 ? OK : courier_fault(r, f, "ended with a status that says that it failed");
}

enum outcome courier_run(const struct strings *command, struct span message, unsigned seconds, struct buf *ret,
                         struct fault *f)
{
    struct run r = {
        .command = command, .in = -1, .out = -1, .err = -1, .theirs = {-1, -1, -1}, .answer = ret, .said = BUF(SAID)};
    clock_gettime(CLOCK_MONOTONIC, &r.until);
    r.until.tv_sec += (time_t)seconds;

    enum outcome outcome = program_find(&r, f);
    if (outcome == OK)
        outcome = words_prepare(&r, f);
    if (outcome == OK)
        outcome = ways_open(&r, f);
    if (outcome == OK)
        outcome = child_begin(&r, f);
    if (outcome == OK)
        outcome = exchange(&r, message, f);
    if (outcome == OK)
        outcome = child_end(&r, f);
    if (r.pid != 0) {
        kill(-r.pid, SIGKILL);
        kill(r.pid, SIGKILL);
        while (waitpid(r.pid, NULL, __WALL) < 0 && errno == EINTR)
            ;
    }
    if (outcome == OK && ret->len == 0)
        outcome = courier_fault(&r, f, "printed nothing");
    fd_close(&r.in);
    fd_close(&r.out);
    fd_close(&r.err);
    for (size_t i = 0; i < 3; i++)
        fd_close(&r.theirs[i]);
    buf_free(&r.said);
    return outcome;
}
