#include "ceremony/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define KEY_CTRL_C 3
#define KEY_CTRL_D 4
#define KEY_BACKSPACE 8
#define KEY_DELETE 127

/* Reads byte by byte, so that Ctrl-C ends the question with the terminal put right again. */
static enum outcome secret_read(int tty, struct buf *ret, struct fault *f)
{
    for (;;) {
        char c = 0;
        ssize_t n = read(tty, &c, 1);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fault_errno(f, "reading from", "/dev/tty");
        if (n == 0 || c == KEY_CTRL_C || c == KEY_CTRL_D)
            return fault_set(f, E_REFUSED, "nothing was signed: the question was not answered");
        if (c == '\n' || c == '\r')
            break;
        if (c != KEY_BACKSPACE && c != KEY_DELETE)
            buf_put(ret, &c, 1);
        else if (ret->len > 0)
            ret->data[--ret->len] = 0;
    }
    if (ret->failed)
        return fault_set(f, E_INVALID, "what was typed is too long");
    return ret->len > 0 ? OK : fault_set(f, E_REFUSED, "nothing was signed: the question was not answered");
}

enum outcome terminal_secret(const char *prompt, const char *otherwise, struct buf *ret, struct fault *f)
{
    int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct termios before, quiet;
    enum outcome o = E_IO;

    if (tty < 0 || tcgetattr(tty, &before) != 0) {
        o = fault_set(f, E_IO, "there is no terminal to ask at; %s", otherwise);
        goto out;
    }
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG);
    quiet.c_cc[VMIN] = 1;
    quiet.c_cc[VTIME] = 0;
    if (tcsetattr(tty, TCSAFLUSH, &quiet) != 0) {
        o = fault_errno(f, "silencing", "/dev/tty");
        goto out;
    }
    dprintf(tty, "%s", prompt);
    o = secret_read(tty, ret, f);
    dprintf(tty, "\n");
    tcsetattr(tty, TCSAFLUSH, &before);
out:
    if (tty >= 0)
        close(tty);
    if (o != OK)
        buf_clear(ret);
    return o;
}

bool terminal_done(const char *prompt)
{
    FILE *tty = fopen("/dev/tty", "r+e");
    char line[64] = "";
    bool done = false;

    if (!tty)
        return false;
    fprintf(tty, "%s", prompt);
    fflush(tty);
    done = fgets(line, sizeof line, tty) != NULL && strcmp(line, "\n") == 0;
    fclose(tty);
    return done;
}

bool terminal_present(void)
{
    return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

enum outcome terminal_confirm(const char *question, struct fault *f)
{
    char line[16] = "";

    fprintf(stderr, "%s Type yes to go on: ", question);
    if (!fgets(line, sizeof line, stdin) || strcmp(line, "yes\n") != 0)
        return fault_set(f, E_REFUSED, "nothing was signed: the answer was not \"yes\"");
    return OK;
}
