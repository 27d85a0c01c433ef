/* Ways out of foveapublish. A transport is asynchronous: it takes messages and tells later what became of each. One thread drives it, the courier's
 * (courier.h), which also decides when to connect again; a transport never does so by itself.
 *
 * A message is one line of JSON, its line break included. After create: connect, then events.connected or events.lost; while connected, send, each answered
 * once by events.acknowledged or events.rejected, unless events.lost or disconnect comes first: then none of the open ones is answered any more. Events are called from
 * within connect, send, poll and flush. */
#ifndef FOVEA_PLUGINS_TRANSPORT_H
#define FOVEA_PLUGINS_TRANSPORT_H

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct FoveaTransportOptions {
  const gchar *source; /* what {source} in topic becomes, and Kafka's key */
  /* file */
  const gchar *path; /* "-" is standard output */
  gboolean append;   /* keep what the file holds */
  guint64 rotate_bytes; /* 0: never */
  guint rotate_keep;
  /* mqtt, http, kafka */
  const gchar *address; /* without user and password */
  const gchar *topic;   /* NULL: the method's own */
  const gchar *username, *password, *token; /* NULL: none */
  const gchar *ca_file, *cert_file, *key_file; /* NULL: the system's authorities; no client certificate */
  gboolean tls_verify;
  guint keep_alive_s;
  gint qos, mqtt_version; /* 5, 4 is 3.1.1 */
  const gchar *client_id, *availability_topic;
  guint batch_records, batch_ms;
} FoveaTransportOptions;

typedef struct FoveaTransportEvents {
  void (*connected)(gpointer user);
  void (*acknowledged)(gpointer user, guint64 id);
  void (*rejected)(gpointer user, guint64 id, const gchar *reason); /* the far side will never take it */
  void (*lost)(gpointer user, const gchar *reason, guint not_before_ms); /* the far side may ask for a pause; 0: it does not */
} FoveaTransportEvents;

typedef struct FoveaTransport FoveaTransport;

typedef struct FoveaTransportMethod {
  const gchar *name;
  gboolean proven_by_answer; /* being connected says little: after a failure only an acknowledged message shows that the link is up */
  guint connect_timeout_ms;
  /* Options are borrowed for the call. NULL with an error for what will not get better by itself: a wrong setting, a library that is not installed. */
  FoveaTransport *(*create)(const FoveaTransportOptions *options, GError **error);
  void (*connect)(FoveaTransport *transport);
  void (*send)(FoveaTransport *transport, guint64 id, const gchar *line, gsize size); /* copies what it needs longer */
  /* Works off what is to be done, then waits, at most timeout_ms, until there is more or wake_fd is readable (whose content it leaves alone). */
  void (*poll)(FoveaTransport *transport, gint wake_fd, gint timeout_ms);
  void (*flush)(FoveaTransport *transport); /* nothing more is to come for now: what waits for company goes */
  void (*disconnect)(FoveaTransport *transport, gboolean orderly); /* orderly: says good-bye, within a second */
  void (*destroy)(FoveaTransport *transport); /* disconnected already */
} FoveaTransportMethod;

struct FoveaTransport {
  const FoveaTransportMethod *method;
  guint window;      /* most messages that may be open at a time */
  gchar *target;     /* for people: where to, without secrets */
  const FoveaTransportEvents *events; /* set after create */
  gpointer user;
};

extern const FoveaTransportMethod fovea_transport_file, fovea_transport_mqtt, fovea_transport_http, fovea_transport_kafka;

/* Waits for wake_fd, and for fd (-1: none) to be ready as events says; what fd is ready for. */
gshort fovea_transport_wait(gint wake_fd, gint fd, gshort events, gint timeout_ms);
/* A topic in which {source} stands for the source; characters of it that are in `forbidden` become '_'. */
gchar *fovea_transport_topic(const gchar *topic, const gchar *source, const gchar *forbidden);

G_END_DECLS
#endif
