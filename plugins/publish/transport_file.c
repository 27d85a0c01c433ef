#include "transport.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

/* One write per line, without a buffer of our own: a reader at the other end of a pipe or of a growing file sees each line at
 * once, and a crash loses none. */
typedef struct FileTransport {
  FoveaTransport base;
  gint fd;
  gboolean standard_output;
  gboolean torn; /* the last line was cut, by a full disk for one: the next begins on a line of its own */
} FileTransport;

static GMutex standard_output_lock; /* lines of several elements stay whole */

static gboolean fail(GError **error, const gchar *what) {
  gint number = errno;
  g_set_error(error, G_IO_ERROR, (gint)g_io_error_from_errno(number), "%s: %s", what, g_strerror(number));
  return FALSE;
}

static FoveaTransport *file_open(const FoveaTransportOptions *options, GError **error) {
  gboolean standard_output = g_str_equal(options->path, "-");
  gint fd = standard_output
              ? STDOUT_FILENO
              : g_open(options->path, O_WRONLY | O_CREAT | O_CLOEXEC | (options->append ? O_APPEND : O_TRUNC), 0644);
  if (fd < 0) {
    fail(error, options->path);
    return NULL;
  }
  FileTransport *transport = g_new0(FileTransport, 1);
  transport->base.method = &fovea_transport_file;
  transport->fd = fd;
  transport->standard_output = standard_output;
  return &transport->base;
}

static gboolean write_all(FileTransport *transport, const gchar *data, gsize size, GError **error) {
  while (size > 0) {
    gssize written = write(transport->fd, data, size);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return fail(error, "a line could not be written");
    data += written;
    size -= (gsize)written;
    transport->torn = size > 0;
  }
  return TRUE;
}

static gboolean file_write(FoveaTransport *base, const gchar *line, gsize size, GError **error) {
  FileTransport *transport = (FileTransport *)base;
  if (transport->standard_output)
    g_mutex_lock(&standard_output_lock);
  gboolean done = (!transport->torn || write_all(transport, "\n", 1, error)) && write_all(transport, line, size, error);
  if (transport->standard_output)
    g_mutex_unlock(&standard_output_lock);
  return done;
}

static gboolean file_flush(FoveaTransport *base, GError **error) {
  FileTransport *transport = (FileTransport *)base;
  if (fsync(transport->fd) == 0 || errno == EINVAL || errno == EROFS ||
      errno == ENOTSUP) /* pipes and terminals have nothing to flush */
    return TRUE;
  return fail(error, "what was written may not have reached the disk");
}

static void file_close(FoveaTransport *base) {
  FileTransport *transport = (FileTransport *)base;
  if (!transport->standard_output)
    g_close(transport->fd, NULL);
  g_free(transport);
}

const FoveaTransportMethod fovea_transport_file = {"file", file_open, file_write, file_flush, file_close};
