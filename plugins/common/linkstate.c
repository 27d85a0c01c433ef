#include "linkstate.h"

static const GEnumValue values[] = {
  {FOVEA_LINK_OFFLINE, "Not trying to connect", "offline"},
  {FOVEA_LINK_CONNECTING, "First attempt since the start", "connecting"},
  {FOVEA_LINK_CONNECTED, "Connected", "connected"},
  {FOVEA_LINK_RETRYING, "Lost or never up; trying again", "retrying"},
  {0, NULL, NULL},
};

GType fovea_link_state_get_type(void) {
  static gsize type = 0;
  if (g_once_init_enter(&type))
    g_once_init_leave(&type, g_enum_register_static("FoveaLinkState", values));
  return type;
}

const gchar *fovea_link_state_nick(FoveaLinkState state) { return values[state].value_nick; }

void fovea_link_state_post(GstElement *element, FoveaLinkState state, const gchar *target, const gchar *reason, guint retry_in_ms, guint attempt) {
  GstStructure *details = gst_structure_new(FOVEA_LINK_MESSAGE, "state", G_TYPE_STRING, fovea_link_state_nick(state), "target", G_TYPE_STRING,
                                            target ? target : "", "reason", G_TYPE_STRING, reason ? reason : "", "retry-in-ms", G_TYPE_UINT, retry_in_ms,
                                            "attempt", G_TYPE_UINT, attempt, NULL);
  gst_element_post_message(element, gst_message_new_element(GST_OBJECT(element), details));
}
