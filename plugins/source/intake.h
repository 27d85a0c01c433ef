/* Where an attempt's video ends: a sink inside its pipeline that hands everything to the feed. */
#ifndef FOVEA_SOURCE_INTAKE_H
#define FOVEA_SOURCE_INTAKE_H

#include "feed.h"
#include "news.h"

G_BEGIN_DECLS

#define FOVEA_TYPE_INTAKE (fovea_intake_get_type())
G_DECLARE_FINAL_TYPE(FoveaIntake, fovea_intake, FOVEA, INTAKE, GstElement)

/* Frames more often than max_rate (a second; 0: no limit) are left out. */
GstElement *fovea_intake_new(FoveaFeed *feed, FoveaNews *news, guint attempt, gdouble max_rate);
/* The decoder before it leaves out what is too many, by a rhythm of its own: to do it again would halve the rate. Before the first frame. */
void fovea_intake_trust_rate(FoveaIntake *intake);
/* A buffer of that time was taken by the source at that NTP time (ns since 1900). Frames that have lost theirs on the way get it by the distance. Any thread. */
void fovea_intake_set_reference(FoveaIntake *intake, GstClockTime time, GstClockTime ntp);

G_END_DECLS
#endif
