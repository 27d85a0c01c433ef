/* Methods for which the build found no headers. */
#include "transport.h"

G_GNUC_UNUSED static FoveaTransport *refuse(const gchar *method, const gchar *package, GError **error) {
  g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, "this build has no method=%s: it was made without the package %s", method, package);
  return NULL;
}

#ifndef HAVE_MOSQUITTO
static FoveaTransport *no_mqtt(const FoveaTransportOptions *options, GError **error) { return refuse("mqtt", "libmosquitto-dev", error); }
const FoveaTransportMethod fovea_transport_mqtt = {.name = "mqtt", .create = no_mqtt};
#endif
#ifndef HAVE_CURL
static FoveaTransport *no_http(const FoveaTransportOptions *options, GError **error) { return refuse("http", "libcurl4-openssl-dev", error); }
const FoveaTransportMethod fovea_transport_http = {.name = "http", .create = no_http};
#endif
#ifndef HAVE_RDKAFKA
static FoveaTransport *no_kafka(const FoveaTransportOptions *options, GError **error) { return refuse("kafka", "librdkafka-dev", error); }
const FoveaTransportMethod fovea_transport_kafka = {.name = "kafka", .create = no_kafka};
#endif
