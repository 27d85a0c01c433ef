/* The properties of foveapublish that are settings. A table makes them, so that a property is one line with its text, range and default. */
#ifndef FOVEA_PLUGINS_PUBLISH_SETTINGS_H
#define FOVEA_PLUGINS_PUBLISH_SETTINGS_H

#include <gst/gst.h>

#include <fovea/spool.h>

G_BEGIN_DECLS

typedef enum FoveaPublishMethod { FOVEA_PUBLISH_STDOUT = 0, FOVEA_PUBLISH_FILE, FOVEA_PUBLISH_MQTT, FOVEA_PUBLISH_HTTP, FOVEA_PUBLISH_KAFKA } FoveaPublishMethod;
typedef enum FoveaPublishContent { FOVEA_CONTENT_FRAMES = 0, FOVEA_CONTENT_EVENTS, FOVEA_CONTENT_BOTH } FoveaPublishContent;
typedef enum FoveaMqttVersion { FOVEA_MQTT_3_1_1 = 4, FOVEA_MQTT_5 = 5 } FoveaMqttVersion;

/* Every enum is an int for the table. */
typedef struct FoveaPublishSettings {
  gint method, content, mqtt_version, spool_policy, spool_sync, newest_first;
  gchar *file_path, *source, *address, *topic, *client_id, *availability_topic, *username, *password, *password_from, *token_from, *ca_file, *cert_file, *key_file, *spool;
  gboolean append, include_empty, analysed_only, tls_verify;
  guint rotate_keep, qos, keep_alive, batch_records, batch_ms, spool_age, spool_sync_interval, retry_min, retry_max, drain_timeout, event_interval, event_timeout;
  guint64 rotate_bytes, spool_bytes, spool_rate;
  gchar *address_user, *address_password; /* taken out of address */
} FoveaPublishSettings;

/* Installs properties with the ids first_id, first_id + 1, …; the id behind the last one. */
guint fovea_publish_settings_install(GObjectClass *class, guint first_id);
void fovea_publish_settings_init(FoveaPublishSettings *settings);
void fovea_publish_settings_copy(FoveaPublishSettings *to, const FoveaPublishSettings *from);
void fovea_publish_settings_finish(FoveaPublishSettings *settings);
/* index: the property's id less first_id. */
void fovea_publish_settings_set(FoveaPublishSettings *settings, guint index, const GValue *value);
void fovea_publish_settings_get(const FoveaPublishSettings *settings, guint index, GValue *value);

G_END_DECLS
#endif
