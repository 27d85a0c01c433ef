/* All that lies behind foveapublish's messages: the outbox they wait in, the courier and its transport, made from the settings; and what the pipeline's user hears of them:
 * link states, warnings (each kind at most every ten seconds), element messages, statistics. */
#ifndef FOVEA_PLUGINS_DELIVERY_H
#define FOVEA_PLUGINS_DELIVERY_H

#include "common/linkstate.h"
#include "settings.h"

G_BEGIN_DECLS

typedef struct FoveaDelivery FoveaDelivery;

#define FOVEA_PUBLISH_LOSS_MESSAGE "fovea-publish-loss"     /* dropped, refused, rejected (uint64, since the start), reason (string) */
#define FOVEA_SPOOL_DEGRADED_MESSAGE "fovea-spool-degraded" /* spool (string), degraded (boolean), reason (string) */

/* source: what {source} in topics stands for. The element, which the delivery must not outlive, posts messages and notifies of "state". NULL with an error that says what to
 * change. */
FoveaDelivery *fovea_delivery_new(GstElement *element, const FoveaPublishSettings *settings, const gchar *source, GError **error);
/* Begins to deliver. */
void fovea_delivery_start(FoveaDelivery *delivery);
/* Delivers nothing more, and says what is left. Does not wait. */
void fovea_delivery_stop(FoveaDelivery *delivery);
/* Stopped already, or never started. Accepts NULL. */
void fovea_delivery_free(FoveaDelivery *delivery);
/* line ends in a newline. patient: may wait for a file or standard output that takes them slower than they come; nothing waits for a network. */
void fovea_delivery_put(FoveaDelivery *delivery, guint8 priority, const gchar *line, gsize size, gboolean patient);
/* Waits until all is delivered, at most the drain-timeout, of which the next call has what is left; not at all where everything is safe on disk and nobody answers. */
void fovea_delivery_drain(FoveaDelivery *delivery);
FoveaLinkState fovea_delivery_state(FoveaDelivery *delivery); /* NULL is offline */
GstStructure *fovea_delivery_stats(FoveaDelivery *delivery);  /* NULL: all zero */

G_END_DECLS
#endif
