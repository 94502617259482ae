{{/* What a schema cannot say: values that contradict each other. */}}
{{- define "lumenmill.validate" -}}
{{- if and (gt (int .Values.orchestrator.replicas) 1) (eq .Values.database.kind "sqlite") -}}
{{- fail "orchestrator.replicas: SQLite is a file of one replica. Set database.kind to chart or external, or replicas to 1." -}}
{{- end -}}
{{- if and .Values.exports.asJobs (or (eq .Values.database.kind "sqlite") (not .Values.fleet.enabled)) -}}
{{- fail "exports.asJobs: Jobs share the orchestrator's database and are made by it: set database.kind to chart or external, and fleet.enabled." -}}
{{- end -}}
{{- if and (eq .Values.scaling.by "builtin") (not .Values.fleet.enabled) -}}
{{- fail "scaling.by: builtin needs fleet.enabled, the right to see and scale pods." -}}
{{- end -}}
{{- if not (hasPrefix "s3://" .Values.store.url) -}}
{{- fail "store.url: must be s3://bucket or s3://bucket/prefix: a folder cannot be shared by pods." -}}
{{- end -}}
{{- if not .Values.models -}}
{{- fail "models: name at least one, or take values-embedded.yaml or values-gpu.yaml to start from." -}}
{{- end -}}
{{- $taken := list "orchestrator" "orchestrator-headless" "scaler" "client" "ca" "minio" "postgres" "token" "store-gc" "test" -}}
{{- $seen := dict -}}
{{- range .Values.models -}}
{{- if has .name $taken -}}{{- fail (printf "models: %s is the name of a part of the mesh; choose another" .name) -}}{{- end -}}
{{- if hasKey $seen .name -}}{{- fail (printf "models: %s is there twice" .name) -}}{{- end -}}
{{- $_ := set $seen .name true -}}
{{- include "lumenmill.validateModel" (list $ .) -}}
{{- end -}}
{{- end -}}

{{- define "lumenmill.validateModel" -}}
{{- $model := include "lumenmill.model" . | fromJson -}}
{{- $fullname := include "lumenmill.fullname" (index . 0) -}}
{{- if gt (len (printf "%s-%s" $fullname $model.name)) 52 -}}
{{- fail (printf "models: %s-%s is too long for what is named after it (52 characters); set fullnameOverride" $fullname $model.name) -}}
{{- end -}}
{{- if and $model.isScaled (gt (int $model.minReplicas) (int $model.maxReplicas)) -}}
{{- fail (printf "models: %s has minReplicas above maxReplicas" $model.name) -}}
{{- end -}}
{{- if and $model.gpuType (not (int $model.gpus)) -}}
{{- fail (printf "models: %s has a gpuType and no gpus" $model.name) -}}
{{- end -}}
{{- if and $model.fetch.enabled (not $model.isNeural) -}}
{{- fail (printf "models: %s has nothing to fetch; only neural services have checkpoints" $model.name) -}}
{{- end -}}
{{- if and (eq $model.cache.kind "hostPath") (not $model.cache.path) -}}
{{- fail (printf "models: %s: cache.path: name the folder of the node" $model.name) -}}
{{- end -}}
{{- range $own := list "model" "listen_address" "metrics_address" "health_address" "store_url" "token_file" "cache_dir" "offline" "drain_s" -}}
{{- if hasKey $model.settings $own -}}
{{- fail (printf "models: %s: settings.%s is set by the chart" $model.name $own) -}}
{{- end -}}
{{- end -}}
{{- end -}}
