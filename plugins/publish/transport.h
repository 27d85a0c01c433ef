/* Ways out of foveapublish. A transport takes whole lines; it is used by one thread at a time. */
#ifndef FOVEA_PLUGINS_TRANSPORT_H
#define FOVEA_PLUGINS_TRANSPORT_H

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct FoveaTransportOptions {
  const gchar *path; /* file; "-" is standard output */
  gboolean append;   /* keep what the file holds */
} FoveaTransportOptions;

typedef struct FoveaTransport FoveaTransport;

typedef struct FoveaTransportMethod {
  const gchar *name;
  FoveaTransport *(*open)(const FoveaTransportOptions *options, GError **error);
  /* line ends in a newline. After FALSE the transport stays open and the next line is tried again. */
  gboolean (*write)(FoveaTransport *transport, const gchar *line, gsize size, GError **error);
  gboolean (*flush)(FoveaTransport *transport, GError **error);
  void (*close)(FoveaTransport *transport); /* flushes, and frees it */
} FoveaTransportMethod;

struct FoveaTransport {
  const FoveaTransportMethod *method;
};

extern const FoveaTransportMethod fovea_transport_file;

G_END_DECLS
#endif
