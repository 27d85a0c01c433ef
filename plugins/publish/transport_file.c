#include "transport.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#define WINDOW 256 /* each write is its own answer; this many at most are written again when a process was killed and has a spool */

#define READER_SLEEPS_MS 2000 /* who does not read for so long does not keep us waiting: the next attempt comes as after any other failure */

/* One write per line, without a buffer of our own: a reader at the other end of a pipe or of a growing file sees each line at
 * once, and a crash loses none. */
typedef struct FileTransport {
  FoveaTransport base;
  gint fd;
  gboolean standard_output;
  gboolean may_block; /* a pipe or a terminal: its reader decides when there is room */
  gboolean torn;     /* the last line was cut, by a full disk for one: the next begins on a line of its own */
  gboolean unflushed;
  gchar *path;
  guint64 size, rotate_bytes; /* rotate_bytes 0: it never is */
  guint rotate_keep;
} FileTransport;

static GMutex standard_output_lock; /* lines of several elements stay whole */

static gboolean fail(GError **error, const gchar *what) {
  gint number = errno;
  g_set_error(error, G_IO_ERROR, (gint)g_io_error_from_errno(number), "%s: %s", what, g_strerror(number));
  return FALSE;
}

static gboolean is_regular(gint fd, struct stat *ret_status) { return fstat(fd, ret_status) == 0 && S_ISREG(ret_status->st_mode); }

static gboolean open_file(FileTransport *transport, gboolean append, GError **error) {
  struct stat status;
  transport->fd = g_open(transport->path, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0644);
  if (transport->fd < 0)
    return fail(error, transport->path);
  gboolean regular = is_regular(transport->fd, &status);
  transport->may_block = !regular;
  transport->size = regular ? (guint64)status.st_size : 0;
  transport->rotate_bytes = regular ? transport->rotate_bytes : 0; /* a pipe or a device has no older brothers */
  return TRUE;
}

static FoveaTransport *file_create(const FoveaTransportOptions *options, GError **error) {
  struct stat status;
  FileTransport *transport = g_new0(FileTransport, 1);
  transport->base.method = &fovea_transport_file;
  transport->base.window = WINDOW;
  transport->standard_output = g_str_equal(options->path, "-");
  transport->path = g_strdup(options->path);
  transport->base.target = g_strdup(transport->standard_output ? "standard output" : options->path);
  transport->fd = STDOUT_FILENO;
  transport->may_block = !is_regular(transport->fd, &status);
  transport->rotate_bytes = transport->standard_output ? 0 : options->rotate_bytes;
  transport->rotate_keep = options->rotate_keep;
  if (transport->standard_output || open_file(transport, options->append, error))
    return &transport->base;
  fovea_transport_file.destroy(&transport->base);
  return NULL;
}

static gchar *numbered(const FileTransport *transport, guint number) {
  return number ? g_strdup_printf("%s.%u", transport->path, number) : g_strdup(transport->path);
}

/* PATH becomes PATH.1, that PATH.2, and so on; the oldest goes. */
static gboolean rotate(FileTransport *transport, GError **error) {
  g_close(transport->fd, NULL);
  transport->fd = -1;
  for (guint number = transport->rotate_keep; number > 0; number--) {
    gchar *from = numbered(transport, number - 1), *to = numbered(transport, number);
    g_rename(from, to); /* gaps in the row are no matter */
    g_free(from);
    g_free(to);
  }
  return open_file(transport, FALSE, error);
}

/* A pipe that is ready takes PIPE_BUF at once. */
static gboolean wait_for_room(FileTransport *transport, GError **error) {
  struct pollfd room = {.fd = transport->fd, .events = POLLOUT};
  if (!transport->may_block || poll(&room, 1, READER_SLEEPS_MS) != 0)
    return TRUE;
  errno = ETIMEDOUT;
  return fail(error, "nobody reads what is written");
}

static gboolean write_all(FileTransport *transport, const gchar *data, gsize size, GError **error) {
  while (size > 0) {
    if (!wait_for_room(transport, error))
      return FALSE;
    gssize written = write(transport->fd, data, transport->may_block ? MIN(size, PIPE_BUF) : size);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return fail(error, "a line could not be written");
    data += written;
    size -= (gsize)written;
    transport->size += (gsize)written;
    transport->torn = size > 0;
  }
  return TRUE;
}

static gboolean write_line(FileTransport *transport, const gchar *line, gsize size, GError **error) {
  if (transport->rotate_bytes && transport->size > 0 && transport->size + size > transport->rotate_bytes && !rotate(transport, error))
    return FALSE;
  if (transport->standard_output)
    g_mutex_lock(&standard_output_lock);
  gboolean done = (!transport->torn || write_all(transport, "\n", 1, error)) && write_all(transport, line, size, error);
  if (transport->standard_output)
    g_mutex_unlock(&standard_output_lock);
  return done;
}

static void lose(FileTransport *transport, GError *error) {
  transport->base.events->lost(transport->base.user, error->message, 0);
  g_error_free(error);
}

/* A file that could not be opened again after a rotation gets another try. */
static void file_connect(FoveaTransport *base) {
  FileTransport *transport = (FileTransport *)base;
  GError *error = NULL;
  if (transport->fd >= 0 || open_file(transport, TRUE, &error))
    base->events->connected(base->user);
  else
    lose(transport, error);
}

static void file_send(FoveaTransport *base, guint64 id, const gchar *line, gsize size) {
  FileTransport *transport = (FileTransport *)base;
  GError *error = NULL;
  transport->unflushed = TRUE;
  if (write_line(transport, line, size, &error))
    base->events->acknowledged(base->user, id);
  else
    lose(transport, error);
}

static void file_poll(FoveaTransport *base, gint wake_fd, gint timeout_ms) { fovea_transport_wait(wake_fd, -1, 0, timeout_ms); }

static void file_flush(FoveaTransport *base) {
  FileTransport *transport = (FileTransport *)base;
  GError *error = NULL;
  if (!transport->unflushed)
    return;
  transport->unflushed = FALSE;
  /* pipes and terminals have nothing to flush */
  if (fsync(transport->fd) == 0 || errno == EINVAL || errno == EROFS || errno == ENOTSUP)
    return;
  fail(&error, "what was written may not have reached the disk");
  lose(transport, error);
}

static void file_disconnect(FoveaTransport *base, gboolean orderly) {}

static void file_destroy(FoveaTransport *base) {
  FileTransport *transport = (FileTransport *)base;
  if (!transport->standard_output && transport->fd >= 0)
    g_close(transport->fd, NULL);
  g_free(transport->path);
  g_free(base->target);
  g_free(transport);
}

const FoveaTransportMethod fovea_transport_file = {"file", FALSE, G_MAXUINT, file_create, file_connect, file_send, file_poll, file_flush, file_disconnect, file_destroy};
