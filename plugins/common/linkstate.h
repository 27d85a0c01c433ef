/* How a link to the world outside fares, said the same way by every element that has one: a read-only property, an element message on the bus, a field of `stats`. */
#ifndef FOVEA_PLUGINS_LINKSTATE_H
#define FOVEA_PLUGINS_LINKSTATE_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef enum FoveaLinkState {
  FOVEA_LINK_OFFLINE = 0, /* not trying: stopped, or nothing to connect to */
  FOVEA_LINK_CONNECTING,  /* first attempt since the start */
  FOVEA_LINK_CONNECTED,   /* data flows, or could */
  FOVEA_LINK_RETRYING,    /* was lost or never came up; the next attempt follows */
} FoveaLinkState;

#define FOVEA_TYPE_LINK_STATE (fovea_link_state_get_type())
GType fovea_link_state_get_type(void);
const gchar *fovea_link_state_nick(FoveaLinkState state); /* "offline", … */

#define FOVEA_LINK_MESSAGE "fovea-link-state"
/* Among the details of a warning: the name of the message that told the same, for whoever reads both. */
#define FOVEA_TOLD_FIELD "told-by"
/* Posts an element message named FOVEA_LINK_MESSAGE: "state" (string), "target" (string, an address without secrets), "reason" (string, may be ""), "retry-in-ms"
 * (uint, 0 when no attempt is due), "attempt" (uint, failures in a row). Any thread, without the element's locks. */
void fovea_link_state_post(GstElement *element, FoveaLinkState state, const gchar *target, const gchar *reason, guint retry_in_ms, guint attempt);

G_END_DECLS
#endif
