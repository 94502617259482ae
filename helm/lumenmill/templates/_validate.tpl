{{/* Checks that a schema cannot express: values that contradict each other. */}}
{{- define "lumenmill.validate" -}}
{{- if and (gt (int .Values.orchestrator.replicas) 1) (eq .Values.database.kind "sqlite") -}}
{{- fail "orchestrator.replicas: SQLite is a file of one replica. Set database.kind to chart or external, or replicas to 1." -}}
{{- end -}}
{{- if and .Values.exports.asJobs (or (eq .Values.database.kind "sqlite") (not .Values.fleet.enabled)) -}}
{{- fail "exports.asJobs: Jobs share the orchestrator's database and are created by it: set database.kind to chart or external, and fleet.enabled." -}}
{{- end -}}
{{- if and (eq .Values.scaling.by "keda") (not .Values.fleet.enabled) -}}
{{- fail "scaling.by: keda needs fleet.enabled: without it the orchestrator does not see pods that are starting, and fails the calls that wait for them." -}}
{{- end -}}
{{- if not (hasPrefix "s3://" .Values.store.url) -}}
{{- fail "store.url: must be s3://bucket or s3://bucket/prefix: a folder cannot be shared by pods." -}}
{{- end -}}
{{- include "lumenmill.validateUnread" . -}}
{{- range $defaults := list "modelDefaults" "gpuModelDefaults" -}}
{{- range $key := list "name" "service" "model" -}}
{{- if hasKey (get $.Values $defaults) $key -}}
{{- fail (printf "%s.%s: belongs to one entry; set it in the entries of models" $defaults $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not .Values.models -}}
{{- fail "models: name at least one, or start from values-embedded.yaml or values-gpu.yaml." -}}
{{- end -}}
{{- $reserved := list "orchestrator" "orchestrator-headless" "scaler" "client" "ca" "minio" "postgres" "token" "store-gc" "test" -}}
{{- $seen := dict -}}
{{- range .Values.models -}}
{{- if not .name -}}{{- fail (printf "models: an entry has no name, by which recipes call it: %s" (toJson .)) -}}{{- end -}}
{{- if has .name $reserved -}}{{- fail (printf "models: %s is the name of a part of the mesh; choose another" .name) -}}{{- end -}}
{{- if hasKey $seen .name -}}{{- fail (printf "models: %s is there twice" .name) -}}{{- end -}}
{{- $_ := set $seen .name true -}}
{{- include "lumenmill.validateModel" (list $ .) -}}
{{- end -}}
{{- end -}}

{{/* Refuse values that are set and would be ignored. */}}
{{- define "lumenmill.validateUnread" -}}
{{- $values := .Values -}}
{{- $ownServer := list (not $values.minio.enabled) "minio.enabled: false" -}}
{{- range list
  (concat (list "store.endpoint" $values.store.endpoint) $ownServer)
  (concat (list "store.secret.name" $values.store.secret.name) $ownServer)
  (concat (list "store.caSecret.name" $values.store.caSecret.name) $ownServer)
  (list "database.caSecret.name" $values.database.caSecret.name (eq $values.database.kind "external") "database.kind: external")
  (list "database.secret.name" $values.database.secret.name (eq $values.database.kind "external") "database.kind: external")
  (list "orchestrator.service.externalTrafficPolicy" $values.orchestrator.service.externalTrafficPolicy (ne $values.orchestrator.service.type "ClusterIP") "orchestrator.service.type: NodePort or LoadBalancer")
  (list "orchestrator.service.loadBalancerSourceRanges" (join ", " $values.orchestrator.service.loadBalancerSourceRanges) (eq $values.orchestrator.service.type "LoadBalancer") "orchestrator.service.type: LoadBalancer")
  (list "tls.existing.secretName" $values.tls.existing.secretName (eq $values.tls.mode "existing") "tls.mode: existing")
  (list "tls.certManager.issuerRef.name" $values.tls.certManager.issuerRef.name (eq $values.tls.mode "certManager") "tls.mode: certManager")
  (list "tls.extraNames" (join ", " $values.tls.extraNames) (has $values.tls.mode (list "generated" "certManager")) "tls.mode: generated or certManager")
  (list "token.secret.name" $values.token.secret.name $values.token.enabled "token.enabled: true")
-}}
{{- if and (index . 1) (not (index . 2)) -}}
{{- fail (printf "%s: is %s, which is read only with %s; set that, or leave %s empty" (index . 0) (index . 1) (index . 3) (index . 0)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
