# ruff: noqa: E501
"""Mistakes that AWS would refuse, or take and run wrongly: what is changed, and the file and place that have to be named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from drafts import Document, Draft

TEMPLATES = "infra_templates"
REPLICATION, SOURCE, STORAGE = (
    f"{TEMPLATES}/replication.yaml",
    f"{TEMPLATES}/source.yaml",
    f"{TEMPLATES}/storage.yaml",
)
TRANSFORM, WAREHOUSE = f"{TEMPLATES}/transform.yaml", f"{TEMPLATES}/warehouse.yaml"
ORCHESTRATION, NETWORK = f"{TEMPLATES}/orchestration.yaml", f"{TEMPLATES}/network.yaml"
OBSERVABILITY, VISUALIZATION = f"{TEMPLATES}/observability.yaml", f"{TEMPLATES}/visualization.yaml"
MACHINE, TASK = f"{TEMPLATES}/state_machine.yaml", f"{TEMPLATES}/replication_settings.yaml"

UPLOADS = {"Id": "uploads", "Status": "Enabled", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3}}


@dataclass(frozen=True)
class Mistake:
    """One change, and parts of the finding that has to be told."""

    name: str
    change: Callable[[Draft], object]
    file: str  # begins `where`
    place: str  # is in `where`
    what: str  # is in `what`


def put(stack: str, logical: str, path: str, value: Any) -> Callable[[Draft], object]:
    """Sets a property; `path` is dotted, a number an index."""

    def change(draft: Draft) -> None:
        *way, last = path.split(".")
        found: Any = draft.properties(stack, logical)
        for part in way:
            found = found[int(part) if part.isdigit() else part]
        found[int(last) if last.isdigit() else last] = value

    return change


def drop(stack: str, logical: str, path: str) -> Callable[[Draft], object]:
    """Takes a property out."""

    def change(draft: Draft) -> None:
        *way, last = path.split(".")
        found: Any = draft.properties(stack, logical)
        for part in way:
            found = found[int(part) if part.isdigit() else part]
        del found[int(last) if last.isdigit() else last]

    return change


def gone(stack: str, logical: str) -> Callable[[Draft], object]:
    """Takes a resource out."""
    return lambda draft: draft.template(stack)["Resources"].pop(logical)


def task(section: str, key: str, value: Any) -> Callable[[Draft], object]:
    """Sets a key of DMS's task settings."""
    edit = lambda document: document[section].update({key: value})  # noqa: E731
    return lambda draft: draft.text("replication", "Task", "ReplicationTaskSettings", edit)


def rules(edit: Callable[[list[Document]], object]) -> Callable[[Draft], object]:
    """Edits the rules of the table mappings."""
    return lambda draft: draft.text("replication", "Task", "TableMappings", lambda d: edit(d["rules"]))


def state(name: str, edit: Callable[[Document], object]) -> Callable[[Draft], object]:
    """Edits a state of the machine."""
    return lambda draft: draft.machine(lambda machine: edit(machine["States"][name]))


def without(role: tuple[str, str], action: str) -> Callable[[Draft], object]:
    """Takes an action out of a role's policies."""

    def change(draft: Draft) -> None:
        policies = draft.properties(*role)["Policies"]
        for statement in [s for p in policies for s in p["PolicyDocument"]["Statement"]]:
            given = statement["Action"]
            actions = [one for one in ([given] if isinstance(given, str) else given) if one != action]
            statement["Action"] = actions or ["sts:GetCallerIdentity"]

    return change


def no_trust(stack: str, role: str, service: Any) -> Callable[[Draft], object]:
    """Another service is trusted."""
    return put(stack, role, "AssumeRolePolicyDocument.Statement.0.Principal.Service", service)


def replaced(old: str, new: str) -> Callable[[Draft], object]:
    """Replaces text in the machine's definition."""

    def change(draft: Draft) -> None:
        properties = draft.properties("orchestration", "Machine")
        assert old in properties["DefinitionString"]
        properties["DefinitionString"] = properties["DefinitionString"].replace(old, new)

    return change


def named(document: list[Document], name: str) -> Document:
    return next(rule for rule in document if rule["rule-name"] == name)


def transformation(document: list[Document], action: str) -> Document:
    return next(rule for rule in document if rule["rule-action"] == action)


REPLICATED: list[Mistake] = [
    Mistake("batch apply", task("TargetMetadata", "BatchApplyEnabled", True), TASK, "TargetMetadata.BatchApplyEnabled", "lose data"),
    Mistake("full LOB mode", task("TargetMetadata", "FullLobMode", True), TASK, "FullLobMode", "LOB"),
    Mistake("tables are dropped before a load", task("FullLoadSettings", "TargetTablePrepMode", "DROP_AND_CREATE"), TASK, "TargetTablePrepMode", "immutable"),
    Mistake("a TRUNCATE goes through", task("ChangeProcessingDdlHandlingPolicy", "HandleSourceTableTruncated", True), TASK, "HandleSourceTableTruncated", "TRUNCATE"),
    Mistake("a misspelt setting", task("ErrorBehavior", "TableErorPolicy", "SUSPEND_TABLE"), TASK, "ErrorBehavior.TableErorPolicy", "no such key"),
    Mistake("a setting of another type", task("FullLoadSettings", "MaxFullLoadSubTasks", "8"), TASK, "MaxFullLoadSubTasks", "number"),
    Mistake("a policy that does not exist", task("ErrorBehavior", "DataErrorPolicy", "IGNORE"), TASK, "DataErrorPolicy", "not one of"),
    Mistake("rows dropped in silence", task("ErrorBehavior", "DataErrorPolicy", "IGNORE_RECORD"), TASK, "DataErrorPolicy", "drops rows"),
    Mistake("a log component that does not exist", task("Logging", "LogComponents", [{"Id": "SOURCE", "Severity": "LOGGER_SEVERITY_DEFAULT"}]), TASK, "LogComponents", "SOURCE"),
    Mistake("a section is left out", lambda d: d.text("replication", "Task", "ReplicationTaskSettings", lambda s: s.pop("ErrorBehavior")), TASK, "ErrorBehavior", "missing"),
    Mistake("no ordering column", rules(lambda r: r.remove(transformation(r, "add-column"))), REPLICATION, "TableMappings", "dms_change_seq"),
    Mistake("the ordering column is a datetime", rules(lambda r: transformation(r, "add-column").update({"data-type": {"type": "datetime"}})), REPLICATION, "data-type", "sort as text"),
    Mistake("no before-image", rules(lambda r: r.remove(transformation(r, "add-before-image-columns"))), REPLICATION, "TableMappings", "before-image"),
    Mistake("a table is not captured", rules(lambda r: r.remove(named(r, "shop-orders"))), REPLICATION, "TableMappings", "shop.orders is not captured"),
    Mistake("a pattern for the schema", rules(lambda r: r[0]["object-locator"].update({"schema-name": "%"})), REPLICATION, "TableMappings", "pattern"),
    Mistake("two rules of one id", rules(lambda r: r[1].update({"rule-id": r[0]["rule-id"]})), REPLICATION, "rule-id", "two rules"),
    Mistake("a filter on a table", rules(lambda r: r[0].update(filters=[{"filter-type": "source", "column-name": "id"}])), REPLICATION, "rules[0].filters", "missing in silver"),
    Mistake("an unknown rule action", rules(lambda r: r[0].update({"rule-action": "included"})), REPLICATION, "rules[0].rule-action", "included"),
    Mistake("a misspelt key of a rule", rules(lambda r: r[0].update({"object-lokator": {}})), REPLICATION, "object-lokator", "no object-lokator"),
    Mistake("a wrong format", put("replication", "TargetEndpoint", "S3Settings.DataFormat", "parket"), REPLICATION, "S3Settings.DataFormat", "parket"),
    Mistake("a wrong compression", put("replication", "TargetEndpoint", "S3Settings.CompressionType", "snappy"), REPLICATION, "CompressionType", "snappy"),
    Mistake("transactions are kept", put("replication", "TargetEndpoint", "S3Settings.PreserveTransactions", True), REPLICATION, "PreserveTransactions", "CSV"),
    Mistake("no Op in a full load", put("replication", "TargetEndpoint", "S3Settings.IncludeOpForFullLoad", False), REPLICATION, "IncludeOpForFullLoad", "no Op"),
    Mistake("attributes win over settings", put("replication", "TargetEndpoint", "ExtraConnectionAttributes", "cdcInsertsOnly=true"), REPLICATION, "CdcInsertsOnly", "lost"),
    Mistake("millisecond timestamps", put("replication", "TargetEndpoint", "S3Settings.ParquetTimestampInMillisecond", True), REPLICATION, "ParquetTimestampInMillisecond", "lose their last three digits"),
    Mistake("a TLS mode that MySQL lacks", put("replication", "SourceEndpoint", "SslMode", "require"), REPLICATION, "SslMode", "require"),
    Mistake("TLS off", put("replication", "SourceEndpoint", "SslMode", "none"), REPLICATION, "SslMode", "without TLS"),
    Mistake("no certificate", drop("replication", "SourceEndpoint", "CertificateArn"), REPLICATION, "CertificateArn", "authority"),
    Mistake("a database at the endpoint", put("replication", "SourceEndpoint", "DatabaseName", "shop"), REPLICATION, "DatabaseName", "nothing else"),
    Mistake("the endpoints swapped", put("replication", "Task", "SourceEndpointArn", {"Ref": "TargetEndpoint"}), REPLICATION, "Task.Properties.SourceEndpointArn", "no source endpoint"),
    Mistake("a task without changes", put("replication", "Task", "MigrationType", "full-load"), REPLICATION, "MigrationType", "captured"),
    Mistake("a start position in the template", put("replication", "Task", "CdcStartPosition", "checkpoint"), REPLICATION, "CdcStartPosition", "meet"),
    Mistake("the secret's role trusts the wrong name", no_trust("replication", "SecretRole", "dms.amazonaws.com"), REPLICATION, "SecretRole", "dms.eu-central-1"),
    Mistake("an account role of another name", put("source", "AccountVpcRole", "RoleName", "dms-vpc"), SOURCE, "Resources", "dms-vpc-role"),
    Mistake("a class that DMS lacks", put("replication", "Instance", "ReplicationInstanceClass", "dms.t4.medium"), REPLICATION, "ReplicationInstanceClass", "no such class"),
    Mistake("too much storage", put("replication", "Instance", "AllocatedStorage", 9000), REPLICATION, "AllocatedStorage", "9000"),
    Mistake("a public replication instance", put("replication", "Instance", "PubliclyAccessible", True), REPLICATION, "Instance.Properties.PubliclyAccessible", "public"),
]  # fmt: skip

SOURCED: list[Mistake] = [
    Mistake("a binlog without whole rows", put("source", "DatabaseParameters", "Parameters.binlog_row_image", "MINIMAL"), SOURCE, "binlog_row_image", "MINIMAL"),
    Mistake("a binlog with checksums", drop("source", "DatabaseParameters", "Parameters.binlog_checksum"), SOURCE, "binlog_checksum", "checksums"),
    Mistake("compressed transactions", put("source", "DatabaseParameters", "Parameters.binlog_transaction_compression", "ON"), SOURCE, "binlog_transaction_compression", "compressed"),
    Mistake("a misspelt MySQL parameter", put("source", "DatabaseParameters", "Parameters.binlog_row_metdata", "FULL"), SOURCE, "binlog_row_metdata", "no such parameter"),
    Mistake("no backups", put("source", "Database", "BackupRetentionPeriod", 0), SOURCE, "BackupRetentionPeriod", "binlog"),
    Mistake("a bare version", put("source", "Database", "EngineVersion", "8.4"), SOURCE, "EngineVersion", "bare 8.4"),
    Mistake("a version whose support ended", put("source", "Database", "EngineVersion", "8.0.41"), SOURCE, "EngineVersion", "support"),
    Mistake("another family", put("source", "DatabaseParameters", "Family", "mysql8.0"), SOURCE, "Family", "mysql8.0"),
    Mistake("AWS's own parameter group", drop("source", "Database", "DBParameterGroupName"), SOURCE, "DBParameterGroupName", "default"),
    Mistake("TLS is not required", put("source", "DatabaseParameters", "Parameters.require_secure_transport", "0"), SOURCE, "require_secure_transport", "TLS"),
    Mistake("a password in the template", put("source", "Database", "MasterUserPassword", "hunter2hunter2"), SOURCE, "MasterUserPassword", "in the open"),
    Mistake("a secret in the template", lambda d: d.properties("source", "SourceSecret").update(SecretString="x"), SOURCE, "SecretString", "in the open"),
    Mistake("a secret without a host", put("source", "ReplicationSecret", "GenerateSecretString.SecretStringTemplate", '{"username": "medallion_dms"}'), SOURCE, "ReplicationSecret", "no host"),
    Mistake("characters that DMS refuses", drop("source", "ReplicationSecret", "GenerateSecretString.ExcludePunctuation"), SOURCE, "GenerateSecretString", "refuses"),
    Mistake("the secret is not attached", gone("source", "SourceSecretAttachment"), SOURCE, "MasterUserPassword", "attached"),
    Mistake("the database goes with its stack", lambda d: d.resource("source", "Database").update(DeletionPolicy="Delete"), SOURCE, "Database.DeletionPolicy", "deleted"),
    Mistake("an unencrypted database", put("source", "Database", "StorageEncrypted", False), SOURCE, "StorageEncrypted", "encrypted"),
    Mistake("a public database", put("source", "Database", "PubliclyAccessible", True), SOURCE, "PubliclyAccessible", "public"),
    Mistake("no room to grow", put("source", "Database", "MaxAllocatedStorage", 50), SOURCE, "MaxAllocatedStorage", "room"),
    Mistake("a variable is missing", drop("source", "SourceFunction", "Environment.Variables.SECRET_ARN"), SOURCE, "Variables.SECRET_ARN", "not set"),
    Mistake("a variable is misspelt", lambda d: d.properties("source", "SourceFunction")["Environment"]["Variables"].update(PIPELINES="pipeline.json"), SOURCE, "Variables.PIPELINES", "no code reads"),
    Mistake("functions without TLS", drop("source", "SourceFunction", "Environment.Variables.CA_BUNDLE"), SOURCE, "CA_BUNDLE", "TLS"),
    Mistake("a handler that is not there", put("source", "SourceFunction", "Handler", "medallion_cli.synthetic.handlers.handler"), SOURCE, "Handler", "the zip has no"),
    Mistake("a function that takes too long", put("source", "SourceFunction", "Timeout", 1800), SOURCE, "Timeout", "1800"),
    Mistake("a log without an end", drop("source", "SourceFunctionLogs", "RetentionInDays"), SOURCE, "RetentionInDays", "for ever"),
    Mistake("a log group of another name", put("source", "SourceFunctionLogs", "LogGroupName", "/aws/lambda/other"), SOURCE, "SourceFunction", "no log group"),
    Mistake("a secret in a variable", put("source", "SourceFunction", "Environment.Variables.PIPELINE", "{{resolve:secretsmanager:x:SecretString:password}}"), SOURCE, "Variables.PIPELINE", "shows the secret"),
    Mistake("Lambda repeats the generator", gone("source", "GeneratorFunctionInvocation"), SOURCE, "GeneratorFunction", "twice"),
]  # fmt: skip

NETWORKED: list[Mistake] = [
    Mistake("DMS cannot reach MySQL", gone("network", "SourceFromReplication"), SOURCE, "VPCSecurityGroups", "port 3306"),
    Mistake("functions cannot reach MySQL", put("network", "SourceFromFunctions", "ToPort", 3305), SOURCE, "VPCSecurityGroups", "SourceFunction"),
    Mistake("endpoints are closed", put("network", "EndpointSecurityGroup", "SecurityGroupIngress", []), NETWORK, "SecurityGroupIds", "port 443"),
    Mistake("QuickSight cannot reach Redshift", put("visualization", "WarehouseFromQuickSight", "FromPort", 5440), WAREHOUSE, "SecurityGroupIds", "5439"),
    Mistake("everybody is let in", put("network", "SourceFromFunctions", "CidrIp", "0.0.0.0/0"), NETWORK, "SourceFromFunctions", "everybody"),
    Mistake("no way to S3", gone("network", "S3Endpoint"), NETWORK, "Resources", "S3"),
    Mistake("a subnet without a route to S3", gone("network", "PrivateSubnet3RouteTable"), NETWORK, "RouteTableIds", "PrivateSubnet3"),
    Mistake("no endpoint for secrets", gone("network", "SecretsmanagerEndpoint"), NETWORK, "Resources", "secretsmanager"),
    Mistake("private names off", put("network", "SecretsmanagerEndpoint", "PrivateDnsEnabled", False), NETWORK, "PrivateDnsEnabled", "leads out"),
    Mistake("a misspelt service", put("network", "KmsEndpoint", "ServiceName", {"Fn::Sub": "com.amazonaws.${AWS::Region}.kmz"}), NETWORK, "KmsEndpoint", "kmz"),
    Mistake("two subnets in one zone", put("network", "PrivateSubnet3", "AvailabilityZone", {"Fn::Select": ["0", {"Fn::GetAZs": ""}]}), NETWORK, "Resources", "zones"),
    Mistake("overlapping subnets", put("network", "PrivateSubnet3", "CidrBlock", "10.42.0.0/20"), NETWORK, "PrivateSubnet3.Properties.CidrBlock", "overlaps"),
    Mistake("no names in the network", put("network", "Vpc", "EnableDnsHostnames", False), NETWORK, "EnableDnsHostnames", "off"),
]  # fmt: skip

STORED: list[Mistake] = [
    Mistake("a public bucket", put("storage", "BronzeBucket", "PublicAccessBlockConfiguration.RestrictPublicBuckets", False), STORAGE, "BronzeBucket.Properties.PublicAccessBlockConfiguration", "public"),
    Mistake("a policy for everybody", put("storage", "StagingBucketPolicy", "PolicyDocument.Statement.0.Effect", "Allow"), STORAGE, "StagingBucketPolicy", "everybody"),
    Mistake("requests without TLS", put("storage", "SilverBucketPolicy", "PolicyDocument.Statement.0.Condition", {"Bool": {"aws:SecureTransport": "true"}}), STORAGE, "SilverBucketPolicy", "TLS"),
    Mistake("TLS for the bucket only", put("storage", "SilverBucketPolicy", "PolicyDocument.Statement.0.Resource", {"Fn::GetAtt": ["SilverBucket", "Arn"]}), STORAGE, "SilverBucketPolicy", "TLS"),
    Mistake("versions that never expire", lambda d: d.properties("storage", "BronzeBucket").update(VersioningConfiguration={"Status": "Enabled"}, LifecycleConfiguration={"Rules": [UPLOADS]}), STORAGE, "BronzeBucket.Properties.LifecycleConfiguration", "never expire"),
    Mistake("no encryption", drop("storage", "SilverBucket", "BucketEncryption"), STORAGE, "SilverBucket.Properties.BucketEncryption", "encrypted"),
    Mistake("another encryption", put("storage", "SilverBucket", "BucketEncryption.ServerSideEncryptionConfiguration.0.ServerSideEncryptionByDefault", {"SSEAlgorithm": "AES256"}), STORAGE, "BucketEncryption", "key"),
    Mistake("a lifecycle that is off", put("storage", "BronzeBucket", "LifecycleConfiguration.Rules.0.Status", "Disabled"), STORAGE, "LifecycleConfiguration", "Disabled"),
    Mistake("bronze in the freezer", put("storage", "BronzeBucket", "LifecycleConfiguration.Rules", [UPLOADS, {"Id": "cold", "Status": "Enabled", "Transitions": [{"StorageClass": "GLACIER", "TransitionInDays": 30}]}]), STORAGE, "LifecycleConfiguration", "restored"),
    Mistake("silver expires", lambda d: d.properties("storage", "SilverBucket")["LifecycleConfiguration"]["Rules"].append({"Id": "old", "Status": "Enabled", "ExpirationInDays": 30}), STORAGE, "SilverBucket.Properties.LifecycleConfiguration", "Iceberg"),
    Mistake("access lists", put("storage", "ArtifactsBucket", "OwnershipControls.Rules.0.ObjectOwnership", "ObjectWriter"), STORAGE, "OwnershipControls", "access lists"),
    Mistake("presigned URLs are refused", lambda d: d.properties("storage", "StagingBucketPolicy")["PolicyDocument"]["Statement"].append({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": {"NumericGreaterThan": {"s3:signatureAge": "600000"}}}), STORAGE, "StagingBucketPolicy", "COPY"),
    Mistake("a bucket goes with its stack", lambda d: d.resource("storage", "BronzeBucket").pop("DeletionPolicy"), STORAGE, "BronzeBucket.DeletionPolicy", "deleted"),
    Mistake("a key that is never rotated", put("storage", "Key", "EnableKeyRotation", False), STORAGE, "EnableKeyRotation", "rotated"),
    Mistake("logs cannot be encrypted", drop("storage", "Key", "KeyPolicy.Statement.1"), STORAGE, "KeyPolicy", "logs.eu-central-1"),
    Mistake("nobody administers the key", drop("storage", "Key", "KeyPolicy.Statement.0"), STORAGE, "KeyPolicy", "administer"),
]  # fmt: skip

STATES: list[Mistake] = [
    Mistake("a transition to nowhere", state("Merge", lambda s: s.update(Next="Nowhere")), MACHINE, "States.Merge", "Nowhere"),
    Mistake("an unreachable state", state("Is anything staged", lambda s: s.update(Choices=[{"Condition": "{% $count($batches) > 0 %}", "Next": "Merge"}])), MACHINE, "States.Load staging", "nothing leads"),
    Mistake("no default", state("Is it merged", lambda s: s.pop("Default")), MACHINE, "States.Is it merged.Default", "no choice"),
    Mistake("a failure that nobody hears of", state("Merge", lambda s: s.pop("Catch")), MACHINE, "States.Merge.Catch", "without a word"),
    Mistake("a failure that ends in success", state("Failed", lambda s: (s.clear(), s.update(Type="Succeed"))), MACHINE, "Catch", "success"),
    Mistake("a loop without a wait", state("Are positions there", lambda s: s.update(Default="Look at positions")), MACHINE, "States", "loop"),
    Mistake("a run without an end", lambda d: d.machine(lambda m: m.pop("TimeoutSeconds")), MACHINE, "", "year"),
    Mistake("no such operation", state("Merge", lambda s: s.update(Resource="arn:aws:states:::aws-sdk:redshiftdata:runStatement")), MACHINE, "States.Merge.Resource", "no operation"),
    Mistake("no such service", state("Merge", lambda s: s.update(Resource="arn:aws:states:::aws-sdk:redshift-data:executeStatement")), MACHINE, "States.Merge.Resource", "no integration"),
    Mistake("the job is not waited for", state("Bronze to silver", lambda s: s.update(Resource="arn:aws:states:::glue:startJobRun")), MACHINE, "States.Bronze to silver.Resource", "goes on"),
    Mistake("a parameter is missing", state("Merge", lambda s: s["Arguments"].pop("Sql")), MACHINE, "States.Merge.Arguments", "Sql is required"),
    Mistake("a parameter in another case", state("Merge", lambda s: s["Arguments"].update(database="x")), MACHINE, "States.Merge.Arguments.database", "no parameter"),
    Mistake("a value that is not in the list", state("Look for other runs", lambda s: s["Arguments"].update(StatusFilter="ACTIVE")), MACHINE, "StatusFilter", "ACTIVE"),
    Mistake("a number as a text", state("Read full loads", lambda s: s["Arguments"].update(MaxRecords="500")), MACHINE, "MaxRecords", "500"),
    Mistake("a field that is not in the answer", state("Check replication", lambda s: s.update(Output="{% $states.result.Tasks[0].Status %}")), MACHINE, "States.Check replication.Output", "no Tasks"),
    Mistake("bad JSONata", state("Merge", lambda s: s.update(Output="{% 'it''s' %}")), MACHINE, "States.Merge.Output", "it''s"),
    Mistake("a function that JSONata lacks", state("Tell", lambda s: s["Arguments"].update(Subject="{% $substr($runId, 0, 100) %}")), MACHINE, "States.Tell.Arguments.Subject", "$substr"),
    Mistake("a variable that is not set", state("Tell", lambda s: s["Arguments"].update(Message="{% $string($reason) %}")), MACHINE, "States.Tell.Arguments.Message", "$reason"),
    Mistake("a variable set on one way only", state("Prepare", lambda s: s["Assign"].pop("gold")), MACHINE, "States.Write", "$gold"),
    Mistake("an input that is not given", state("Read gold", lambda s: s.update(Output={"Statement": "{% $states.result.Id %}"})), MACHINE, "States.Look at gold.Arguments.Id", "$states.input.Id"),
    Mistake("half an expression", state("Merge", lambda s: s.update(Output="{% $states.result.Id")), MACHINE, "States.Merge.Output", "half"),
    Mistake("an error that does not exist", state("Merge", lambda s: s["Catch"][0].update(ErrorEquals=["States.All"])), MACHINE, "States.Merge.Catch", "States.All"),
    Mistake("a jitter that does not exist", state("Merge", lambda s: s["Retry"][0].update(JitterStrategy="SOME")), MACHINE, "Merge", "SOME"),
    Mistake("a backoff below one", state("Merge", lambda s: s["Retry"][0].update(BackoffRate=0.5)), MACHINE, "Merge", "BackoffRate"),
    Mistake("a substitution is missing", drop("orchestration", "Machine", "DefinitionSubstitutions.TopicArn"), ORCHESTRATION, "DefinitionSubstitutions.TopicArn", "not given"),
    Mistake("an argument that the script needs", state("Bronze to silver", lambda s: s["Arguments"]["Arguments"].pop("--loaded")), TRANSFORM, "--loaded", "needs --loaded"),
    Mistake("an argument that no script reads", state("Silver to gold", lambda s: s["Arguments"]["Arguments"].update({"--ful": "true"})), MACHINE, "--ful", "reads no --ful"),
    Mistake("an express machine", put("orchestration", "Machine", "StateMachineType", "EXPRESS"), ORCHESTRATION, "StateMachineType", "EXPRESS"),
    Mistake("the machine may not start a job", without(("orchestration", "MachineRole"), "glue:StartJobRun"), ORCHESTRATION, "MachineRole", "glue:StartJobRun"),
    Mistake("the machine may not follow a job", without(("orchestration", "MachineRole"), "glue:GetJobRun"), ORCHESTRATION, "MachineRole", "glue:GetJobRun"),
    Mistake("the machine may not call the warehouse", without(("orchestration", "MachineRole"), "redshift-data:BatchExecuteStatement"), ORCHESTRATION, "MachineRole", "BatchExecuteStatement"),
    Mistake("a schedule may not start the machine", without(("orchestration", "ScheduleRole"), "states:StartExecution"), ORCHESTRATION, "ScheduleRole", "states:StartExecution"),
    Mistake("minute without its s", lambda d: d.settings("dev", schedules=d.project.environments["dev"].settings.schedules.model_copy(update={"pipeline": "rate(15 minute)"})), "configs/dev.yaml", "schedules.pipeline", "15 minutes"),
    Mistake("a cron of five fields", put("orchestration", "PipelineScheduleEntry", "ScheduleExpression", "cron(0 3 * * *)"), ORCHESTRATION, "ScheduleExpression", "six"),
    Mistake("no dead letters", drop("orchestration", "PipelineScheduleEntry", "Target.DeadLetterConfig"), ORCHESTRATION, "DeadLetterConfig", "no trace"),
    Mistake("a schedule that is on", put("orchestration", "PipelineScheduleEntry", "State", "ENABLED"), ORCHESTRATION, "State", "by itself"),
    Mistake("an input that the machine does not read", put("orchestration", "PipelineScheduleEntry", "Target.Input", '{"layer": "gold"}'), ORCHESTRATION, "Target.Input", "reads no layer"),
    Mistake("a window in another case", put("orchestration", "PipelineScheduleEntry", "FlexibleTimeWindow.Mode", "NEVER"), ORCHESTRATION, "FlexibleTimeWindow", "NEVER"),
    Mistake("alarms may not publish", gone("orchestration", "TopicPolicy"), ORCHESTRATION, "Topic", "cloudwatch.amazonaws.com"),
]  # fmt: skip

WAREHOUSED: list[Mistake] = [
    Mistake("a worker that Glue lacks", put("transform", "SilverToGoldJob", "WorkerType", "G.3X"), TRANSFORM, "WorkerType", "G.3X"),
    Mistake("a minor version of Python", put("transform", "SilverToGoldJob", "Command.PythonVersion", "3.11"), TRANSFORM, "PythonVersion", "minor"),
    Mistake("another Spark", put("transform", "SilverToGoldJob", "GlueVersion", "6.0"), TRANSFORM, "GlueVersion", "Spark 4"),
    Mistake("two runs at once", put("transform", "SilverToGoldJob", "ExecutionProperty.MaxConcurrentRuns", 3), TRANSFORM, "MaxConcurrentRuns", "two runs"),
    Mistake("bookmarks", put("transform", "BronzeToSilverJob", "DefaultArguments.--job-bookmark-option", "job-bookmark-enable"), TRANSFORM, "--job-bookmark-option", "own rows"),
    Mistake("a job without its argument", drop("transform", "ChecksumJob", "DefaultArguments.--pipeline_uri"), TRANSFORM, "--pipeline_uri", "needs"),
    Mistake("a misspelt argument", put("transform", "ChecksumJob", "DefaultArguments.--enable-metric", "true"), TRANSFORM, "--enable-metric", "neither Glue"),
    Mistake("another time zone in Spark", lambda d: d.properties("transform", "SilverToGoldJob")["DefaultArguments"]["--conf"].update({"Fn::Sub": d.properties("transform", "SilverToGoldJob")["DefaultArguments"]["--conf"]["Fn::Sub"].replace("timeZone=UTC", "timeZone=CET")}), TRANSFORM, "--conf", "timeZone"),
    Mistake("the job may not write silver", without(("transform", "JobRole"), "s3:PutObject"), TRANSFORM, "JobRole", "s3:PutObject"),
    Mistake("the job may not use the catalog", without(("transform", "JobRole"), "glue:UpdateTable"), TRANSFORM, "JobRole", "glue:UpdateTable"),
    Mistake("COPY may not decrypt", without(("warehouse", "CopyRole"), "kms:Decrypt"), WAREHOUSE, "CopyRole", "kms:Decrypt"),
    Mistake("Redshift may not use its role", no_trust("warehouse", "CopyRole", ["redshift.amazonaws.com"]), WAREHOUSE, "CopyRole", "redshift-serverless.amazonaws.com"),
    Mistake("a capacity that does not exist", lambda d: d.parameter("prod", "WarehouseCapacity", "12"), "configs/prod.yaml", "parameters.WarehouseCapacity", "12"),
    Mistake("a log that Redshift lacks", put("warehouse", "Namespace", "LogExports", ["userlog", "querylog"]), WAREHOUSE, "LogExports", "querylog"),
    Mistake("gold goes with its stack", drop("warehouse", "Namespace", "FinalSnapshotName"), WAREHOUSE, "FinalSnapshotName", "deleted"),
    Mistake("a public warehouse", put("warehouse", "Workgroup", "PubliclyAccessible", True), WAREHOUSE, "PubliclyAccessible", "public"),
    Mistake("staging in another order", lambda d: d.project.staging.update(fact_sales=[d.project.staging["fact_sales"][0], *reversed(d.project.staging["fact_sales"][1:])]), "sql/redshift", "staging.fact_sales", "by position"),
    Mistake("a staging column is missing", lambda d: d.project.staging.update(fact_sales=d.project.staging["fact_sales"][:-1]), "sql/redshift", "staging.fact_sales", "columns"),
    Mistake("a staging column of another type", lambda d: d.project.staging.update(fact_payments=[(n, "BIGINT" if n == "amount" else t) for n, t in d.project.staging["fact_payments"]]), "sql/redshift", "staging.fact_payments.amount", "BIGINT"),
    Mistake("TRUNCATE in a merge", lambda d: d.sql("procedure gold.merge_fact_sales", "DELETE FROM gold.fact_sales", "TRUNCATE gold.fact_sales"), "sql/redshift", "merge_fact_sales", "TRUNCATE"),
    Mistake("COMMIT in a merge", lambda d: d.sql("procedure gold.merge_run", "END;\n$$", "COMMIT;\nEND;\n$$"), "sql/redshift", "merge_run", "COMMIT"),
    Mistake("a call of no procedure", lambda d: d.sql("procedure gold.merge_run", "CALL gold.merge_fact_sales", "CALL gold.merge_sales"), "sql/redshift", "merge_run", "gold.merge_sales"),
    Mistake("a text that is too long", lambda d: d.sql("sql/redshift/tables/fact_sales.sql", "VARCHAR(40)", "VARCHAR(70000)"), "sql/redshift/tables/fact_sales.sql", "fact_sales", "65535"),
    Mistake("a decimal that is too wide", lambda d: d.sql("sql/redshift/tables/fact_sales.sql", "DECIMAL(18,2)", "DECIMAL(40,2)"), "sql/redshift/tables/fact_sales.sql", "fact_sales", "38 digits"),
    Mistake("a type that Redshift lacks", lambda d: d.sql("sql/redshift/tables/fact_sales.sql", "status VARCHAR(40)", "status TEXT"), "sql/redshift/tables/fact_sales.sql", "fact_sales", "TEXT"),
    Mistake("a function of PostgreSQL", lambda d: d.sql("sql/redshift/aggregates/agg_customer.sql", "MIN(sales_date)", "MIN(age(sales_date))"), "sql/redshift/aggregates/agg_customer.sql", "agg_customer", "AGE"),
    Mistake("a name that is too long", lambda d: d.sql("sql/redshift/tables/fact_sales.sql", "status ", "s" * 130 + " "), "sql/redshift/tables/fact_sales.sql", "fact_sales", "127"),
    Mistake("MERGE from a query", lambda d: d.sql("procedure gold.merge_fact_sales", "USING merging_fact_sales s", "USING (SELECT * FROM merging_fact_sales) s"), "sql/redshift", "merge_fact_sales", "not a query"),
    Mistake("a view of no column", lambda d: d.view("v_revenue_by_brand", "p.brand_name", "p.brand"), "sql/redshift/views/v_revenue_by_brand.sql", "v_revenue_by_brand", "brand"),
    Mistake("a model of no column", lambda d: d.select("fact_sales", "i.unit_price,", "i.price AS unit_price,"), "sql/silver_to_gold/fact_sales.sql", "fact_sales", "price"),
    Mistake("a model returns too little", lambda d: d.select("fact_sales", "i.discount,\n", ""), "sql/silver_to_gold/fact_sales.sql", "fact_sales", "discount"),
    Mistake("an aggregate in another order", lambda d: d.select("agg_customer", "customer_id,\n  COUNT(DISTINCT order_id) AS orders", "COUNT(DISTINCT order_id) AS orders,\n  customer_id"), "sql/redshift/aggregates/agg_customer.sql", "agg_customer", "order"),
    Mistake("a table that is read and not declared", lambda d: d.model("fact_sales", inputs=tuple(i for i in d.project.pipeline.model("fact_sales").inputs if i.table != "orders")), "sql/silver_to_gold/fact_sales.sql", "fact_sales", "missed"),
    Mistake("a column of our own name", lambda d: d.column("addresses", "city", "OP"), "configs/pipeline.yaml", "tables.addresses", "uses itself"),
    Mistake("touched keys that are not the model's", lambda d: d.model("fact_sales", inputs=tuple(replace(i, touches="SELECT i.order_id FROM changed c JOIN order_items i ON i.order_id = c.order_id") if i.touches else i for i in d.project.pipeline.model("fact_sales").inputs)), "configs/pipeline.yaml", "models.fact_sales.inputs.orders", "line_no"),
]  # fmt: skip

SHOWN: list[Mistake] = [
    Mistake("a visual of no column", lambda d: setattr(d.project, "dashboard", d.project.dashboard.model_copy(update={"visuals": tuple(v.model_copy(update={"y": "revenu"}) if v.id == "top_products" else v for v in d.project.dashboard.visuals)})), "configs/dashboard.yaml", "top_products.y", "revenu"),
    Mistake("a visual of no view", lambda d: setattr(d.project, "dashboard", d.project.dashboard.model_copy(update={"visuals": tuple(v.model_copy(update={"view": "v_products"}) if v.id == "top_products" else v for v in d.project.dashboard.visuals)})), "configs/dashboard.yaml", "top_products.view", "v_products"),
    Mistake("a data set of another order", lambda d: d.properties("visualization", "TopProductsData")["PhysicalTableMap"]["view"]["CustomSql"]["Columns"].reverse(), VISUALIZATION, "TopProductsData", "returns"),
    Mistake("a query of no column", put("visualization", "TopProductsData", "PhysicalTableMap.view.CustomSql.SqlQuery", "SELECT product_name, turnover AS revenue FROM gold.v_top_products"), VISUALIZATION, "SqlQuery", "turnover"),
    Mistake("a field of no column", put("visualization", "Dashboard", "Definition.Sheets.0.Visuals.0.LineChartVisual.ChartConfiguration.FieldWells.LineChartAggregatedFieldWells.Values.0.NumericalMeasureField.Column.ColumnName", "turnover"), VISUALIZATION, "Visuals[0]", "turnover"),
    Mistake("a column of another type", put("visualization", "SalesOverTimeData", "PhysicalTableMap.view.CustomSql.Columns.1.Type", "STRING"), VISUALIZATION, "Visuals[0]", "STRING"),
    Mistake("a sheet that is too wide", put("visualization", "Dashboard", "Definition.Sheets.0.Layouts.0.Configuration.GridLayout.Elements.0.ColumnSpan", 48), VISUALIZATION, "Layouts", "36"),
    Mistake("an aggregation that does not exist", put("visualization", "Dashboard", "Definition.Sheets.0.Visuals.0.LineChartVisual.ChartConfiguration.FieldWells.LineChartAggregatedFieldWells.Values.0.NumericalMeasureField.AggregationFunction.SimpleNumericalAggregation", "TOTAL"), VISUALIZATION, "SimpleNumericalAggregation", "TOTAL"),
    Mistake("another port", put("visualization", "Warehouse", "DataSourceParameters.RedshiftParameters.Port", 5432), VISUALIZATION, "Port", "5439"),
    Mistake("a permission that QuickSight lacks", lambda d: d.properties("visualization", "Dashboard")["Permissions"][0]["Actions"].append("quicksight:ReadDashboard"), VISUALIZATION, "Permissions", "ReadDashboard"),
    Mistake("an alarm on no metric", put("observability", "SourceLag", "MetricName", "CDCLatency"), OBSERVABILITY, "SourceLag.Properties.MetricName", "CDCLatency"),
    Mistake("an alarm that never rings", drop("observability", "SourceLag", "Dimensions.1"), OBSERVABILITY, "SourceLag.Properties.Dimensions", "CDCLatencySource"),
    Mistake("an alarm that tells nobody", drop("observability", "FailedRuns", "AlarmActions"), OBSERVABILITY, "AlarmActions", "nobody"),
    Mistake("a required property is missing", drop("observability", "FailedRuns", "ComparisonOperator"), OBSERVABILITY, "FailedRuns", "ComparisonOperator"),
    Mistake("a statistic that does not exist", put("observability", "FailedRuns", "Statistic", "Total"), OBSERVABILITY, "Statistic", "Total"),
    Mistake("a parameter without a value", lambda d: d.template("transform")["Parameters"].update(Extra={"Type": "String"}), TRANSFORM, "Parameters.Extra", "no value"),
    Mistake("an output is gone", lambda d: d.template("storage")["Outputs"].pop("StagingBucket"), TRANSFORM, "Parameters.StagingBucket", "no value"),
    Mistake("two outputs of one name", lambda d: d.template("source")["Outputs"].update(KeyArn={"Value": "x"}), SOURCE, "Outputs.KeyArn", "same name"),
    Mistake("a setting of no template", lambda d: d.parameter("dev", "DatabaseClas", "db.t4g.micro"), "configs/dev.yaml", "parameters.DatabaseClas", "no template"),
    Mistake("a class that DMS lacks, in the settings", lambda d: d.parameter("prod", "ReplicationClass", "dms.m6.large"), "configs/prod.yaml", "parameters.ReplicationClass", "class"),
    Mistake("a protected environment in one zone", lambda d: d.parameter("prod", "MultiAZ", "false"), "configs/prod.yaml", "parameters.MultiAZ", "protected"),
    Mistake("a region that there is not", lambda d: d.settings("dev", region="eu-central-9"), "configs/dev.yaml", "region", "eu-central-9"),
    Mistake("a prefix that is too long", lambda d: d.settings("dev", prefix="a" * 60), "configs/dev.yaml", "prefix", "prefix"),
]  # fmt: skip

# Only AWS's schemas show these: cfn-lint reads the template.
LINTED: list[Mistake] = [
    Mistake("a property that does not exist", put("storage", "BronzeBucket", "Versioning", True), STORAGE, "BronzeBucket", "Versioning"),
    Mistake("a reference to nothing", put("warehouse", "Workgroup", "NamespaceName", {"Ref": "Namespaces"}), WAREHOUSE, "Workgroup", "Namespaces"),
    Mistake("an action that IAM lacks", put("orchestration", "ScheduleRole", "Policies.0.PolicyDocument.Statement.2.Action", ["sqs:SendMessage", "sqs:SendMesage"]), ORCHESTRATION, "ScheduleRole", "sendmesage"),
    Mistake("a class that RDS lacks, in the settings", lambda d: (d.template("source"), d.parameter("prod", "DatabaseClass", "db.m7g.9xlarge")), "", "DBInstanceClass", "db.m7g.9xlarge"),
]  # fmt: skip

# What was tried by people who read no rule first.
TRIED: list[Mistake] = [
    Mistake("a network that is too large", put("network", "Vpc", "CidrBlock", "10.42.0.0/15"), NETWORK, "Vpc.Properties.CidrBlock", "10.42.0.0/15"),
    Mistake("an interface to S3", put("network", "S3Endpoint", "VpcEndpointType", "Interface"), NETWORK, "S3Endpoint.Properties.VpcEndpointType", "S3"),
    Mistake("an endpoint in no subnet", drop("network", "SecretsmanagerEndpoint", "SubnetIds"), NETWORK, "SecretsmanagerEndpoint.Properties.SubnetIds", "no subnet"),
    Mistake("a way to the internet", lambda d: d.template("network")["Resources"].update(Out={"Type": "AWS::EC2::Route", "Properties": {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}}), NETWORK, "Resources.Out", "internet"),
    Mistake("a key for everybody", lambda d: d.properties("storage", "Key")["KeyPolicy"]["Statement"].append({"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}), STORAGE, "KeyPolicy", "everybody"),
    Mistake("a bucket in capitals", put("storage", "BronzeBucket", "BucketName", "Bronze_Bucket"), STORAGE, "BucketName", "S3 refuses"),
    Mistake("a policy of another bucket", put("storage", "BronzeBucketPolicy", "Bucket", {"Ref": "SilverBucket"}), STORAGE, "BronzeBucket", "TLS"),
    Mistake("a misspelt condition key", put("storage", "BronzeBucketPolicy", "PolicyDocument.Statement.0.Condition", {"Bool": {"aws:SecureTranport": "false"}}), STORAGE, "BronzeBucketPolicy", "TLS"),
    Mistake("an old Python", put("source", "SourceFunction", "Runtime", "python3.8"), SOURCE, "Runtime", "python3.8"),
    Mistake("a processor that Lambda lacks", put("source", "SourceFunction", "Architectures", ["arm65"]), SOURCE, "Architectures", "arm65"),
    Mistake("a function outside of the network", drop("source", "SourceFunction", "VpcConfig"), SOURCE, "VpcConfig", "outside"),
    Mistake("code in another bucket", put("source", "SourceFunction", "Code.S3Bucket", "elsewhere"), SOURCE, "Code.S3Bucket", "elsewhere"),
    Mistake("a database of another port", lambda d: d.properties("source", "Database").update(Port=3307), SOURCE, "VPCSecurityGroups", "3307"),
    Mistake("a database outside of the network", drop("source", "Database", "DBSubnetGroupName"), SOURCE, "DBSubnetGroupName", "outside"),
    Mistake("a log that MySQL lacks", put("source", "Database", "EnableCloudwatchLogsExports", ["slow-query"]), SOURCE, "EnableCloudwatchLogsExports", "slow-query"),
    Mistake("mappings that are no JSON", put("replication", "Task", "TableMappings", "{oops"), REPLICATION, "TableMappings", "no JSON"),
    Mistake("a folder that is no generation", put("replication", "TargetEndpoint", "S3Settings.BucketFolder", "bronze"), REPLICATION, "BucketFolder", "generation"),
    Mistake("roles that are swapped", put("replication", "TargetEndpoint", "S3Settings.ServiceAccessRoleArn", {"Fn::GetAtt": ["SecretRole", "Arn"]}), REPLICATION, "SecretRole", "s3:PutObject"),
    Mistake("a certificate that is none", put("replication", "SourceCertificate", "CertificatePem", "hello"), REPLICATION, "CertificatePem", "no certificate"),
    Mistake("a name that DMS refuses", put("replication", "SourceEndpoint", "EndpointIdentifier", "my--source"), REPLICATION, "EndpointIdentifier", "my--source"),
    Mistake("capitals in a list", put("replication", "SourceEndpoint", "EndpointType", "SOURCE"), REPLICATION, "EndpointType", "SOURCE"),
    Mistake("no task", gone("replication", "Task"), REPLICATION, "Resources", "no replication task"),
    Mistake("a catalog name with a hyphen", put("transform", "SilverDatabase", "DatabaseInput.Name", "retail-silver"), TRANSFORM, "DatabaseInput.Name", "retail-silver"),
    Mistake("capacity and workers at once", lambda d: d.properties("transform", "SilverToGoldJob").update(MaxCapacity=2), TRANSFORM, "MaxCapacity", "WorkerType"),
    Mistake("a role that nothing makes", put("transform", "SilverToGoldJob", "Role", "arn:aws:iam::111122223333:role/other"), TEMPLATES, "", "no template makes"),
    Mistake("more at first than at most", lambda d: d.parameter("dev", "WarehouseCapacity", "32"), "configs/dev.yaml", "parameters.WarehouseMaxCapacity", "below"),
    Mistake("a setting that Redshift lacks", lambda d: d.properties("warehouse", "Workgroup")["ConfigParameters"].append({"ParameterKey": "require_sssl", "ParameterValue": "true"}), WAREHOUSE, "require_sssl", "no such setting"),
    Mistake("TLS off in the warehouse", put("warehouse", "Workgroup", "ConfigParameters", [{"ParameterKey": "require_ssl", "ParameterValue": "false"}]), WAREHOUSE, "require_ssl", "TLS"),
    Mistake("two ways to a password", lambda d: d.properties("warehouse", "Namespace").update(ManageAdminPassword=True), WAREHOUSE, "AdminUserPassword", "one of them"),
    Mistake("an event that nobody sends", put("orchestration", "UntoldFailures", "EventPattern.source", ["aws.state"]), ORCHESTRATION, "EventPattern.source", "aws.state"),
    Mistake("a name that the transformer lacks", put("orchestration", "UntoldFailures", "Targets.0.InputTransformer.InputTemplate", '"<name>"'), ORCHESTRATION, "InputTransformer", "<name>"),
    Mistake("an event that is too young", put("orchestration", "PipelineScheduleEntry", "Target.RetryPolicy.MaximumEventAgeInSeconds", 30), ORCHESTRATION, "MaximumEventAgeInSeconds", "30"),
    Mistake("a schedule of another machine", put("orchestration", "PipelineScheduleEntry", "Target.Arn", "arn:aws:states:eu-central-1:111122223333:stateMachine:other"), ORCHESTRATION, "ScheduleRole", "other"),
    Mistake("seconds that are a text", replaced("{% $number('${PollSeconds}') %}", "{% '${PollSeconds}' %}"), MACHINE, "Seconds", "no number"),
    Mistake("a distributed map", replaced('"Mode": "INLINE"', '"Mode": "DISTRIBUTED"'), MACHINE, "ItemProcessor", "distributed"),
    Mistake("a parameter of no statement", replaced(":run_id, :models", ":run, :models"), MACHINE, "States.Merge", ":run has no value"),
    Mistake("a procedure that nothing makes", replaced("gold.merge_run(", "gold.merge_all("), MACHINE, "States.Merge", "gold.merge_all"),
    Mistake("a ledger that there is not", replaced("FROM etl.position", "FROM etl.positions"), MACHINE, "States.Read positions", "positions"),
    Mistake("a statement without a workgroup", state("Merge", lambda s: s["Arguments"].pop("WorkgroupName")), MACHINE, "States.Merge", "workgroup"),
    Mistake("a file that no script writes", replaced("/bronze_to_silver.json", "/bronze_silver.json"), MACHINE, "Arguments.Key", "bronze_silver.json"),
    Mistake("a state that no table has", replaced("'Table completed'", "'Table complete'"), MACHINE, "States.Read full loads", "Table complete"),
    Mistake("a status of another service", replaced("'FINISHED'", "'SUCCEEDED'"), MACHINE, "Choices[0].Condition", "SUCCEEDED"),
    Mistake("another database", put("orchestration", "Machine", "DefinitionSubstitutions.Database", "other"), MACHINE, "Database", "other"),
    Mistake("another workgroup", put("orchestration", "Machine", "DefinitionSubstitutions.WorkgroupName", "other"), MACHINE, "WorkgroupName", "other"),
    Mistake("an address that is none", lambda d: d.parameter("dev", "AlertEmail", "me"), "configs/dev.yaml", "AlertEmail", "me"),
    Mistake("a principal that is none", lambda d: d.parameter("dev", "QuickSightPrincipalArn", "me"), VISUALIZATION, "Principal", "me"),
    Mistake("a zone that there is not", lambda d: d.settings("dev", schedules=d.project.environments["dev"].settings.schedules.model_copy(update={"time_zone": "Mars/Phobos"})), "configs/dev.yaml", "schedules.time_zone", "Mars"),
    Mistake("a period that CloudWatch lacks", put("observability", "FailedRuns", "Period", 45), OBSERVABILITY, "Period", "45"),
    Mistake("a distribution key that is no column", lambda d: d.sql("sql/redshift/tables/fact_sales.sql", "DISTKEY (customer_id)", "DISTKEY (customer)"), "sql/redshift/tables/fact_sales.sql", "fact_sales", "DISTKEY"),
    Mistake("a variable that is not declared", lambda d: d.sql("procedure gold.merge_fact_sales", "v_again BIGINT := 0;", ""), "sql/redshift", "merge_fact_sales", "v_again"),
    Mistake("every action", put("transform", "JobRole", "Policies.0.PolicyDocument.Statement.0.Action", "s3:*"), TRANSFORM, "JobRole", "s3:*"),
    Mistake("every resource", put("transform", "JobRole", "Policies.0.PolicyDocument.Statement.0.Resource", "*"), TRANSFORM, "JobRole", "everything"),
    Mistake("a role for everybody", put("transform", "JobRole", "AssumeRolePolicyDocument.Statement.0.Principal", "*"), TRANSFORM, "JobRole", "glue.amazonaws.com"),
]  # fmt: skip

# What a run over every single property, taken out or wronged, had shown to pass.
SURVIVED: list[Mistake] = [
    Mistake("a denial without a condition", drop("storage", "BronzeBucketPolicy", "PolicyDocument.Statement.1.Condition"), STORAGE, "BronzeBucketPolicy", "locks everybody out"),
    Mistake("a condition of nothing", put("storage", "StagingBucketPolicy", "PolicyDocument.Statement.1.Condition", {"NumericLessThan": {}}), STORAGE, "StagingBucketPolicy", "asks for nothing"),
    Mistake("a denial for the bucket alone", drop("storage", "BronzeBucketPolicy", "PolicyDocument.Statement.1.Resource.1"), STORAGE, "BronzeBucketPolicy", "leaves the other open"),
    Mistake("a lifecycle rule of no action", drop("storage", "StagingBucket", "LifecycleConfiguration.Rules.2.ExpirationInDays"), STORAGE, "StagingBucket", "S3 refuses the rule"),
    Mistake("a role that another account could take", drop("transform", "JobRole", "AssumeRolePolicyDocument.Statement.0.Condition"), TRANSFORM, "JobRole", "another account"),
    Mistake("flow logs that may not be written", put("observability", "FlowLogRole", "Policies.0.PolicyDocument.Statement.0.Action", ["logs:DescribeLogStreams"]), OBSERVABILITY, "FlowLogRole", "logs:PutLogEvents"),
    Mistake("monitoring that may not be written", drop("source", "MonitoringRole", "ManagedPolicyArns"), SOURCE, "MonitoringRole", "logs:PutLogEvents"),
    Mistake("housekeeping may not list requests", drop("transform", "HousekeepingRole", "Policies.0.PolicyDocument.Statement.4.Resource.3"), TRANSFORM, "HousekeepingRole", "s3:ListBucket"),
    Mistake("a metric of another namespace", put("orchestration", "MachineRole", "Policies.0.PolicyDocument.Statement.4.Condition", {"StringEquals": {"cloudwatch:namespace": "Other"}}), ORCHESTRATION, "MachineRole", "cloudwatch:PutMetricData"),
    Mistake("QuickSight may not attach", drop("visualization", "ConnectionRole", "Policies.0.PolicyDocument.Statement.0.Resource.0"), VISUALIZATION, "ConnectionRole", "network-interface"),
    Mistake("a script in no bucket", put("transform", "SilverToGoldJob", "Command.ScriptLocation", {"Fn::Sub": "s3://elsewhere/${SilverToGoldKey}"}), TRANSFORM, "ScriptLocation", "no bucket"),
    Mistake("a library in no place", put("transform", "HousekeepingJob", "DefaultArguments.--extra-py-files", {"Fn::Sub": "s3:/${CodeBucket}/${SharedCodeKey}"}), TRANSFORM, "--extra-py-files", "no bucket"),
    Mistake("a specification in no bucket", put("transform", "EraseJob", "DefaultArguments.--pipeline_uri", {"Fn::Sub": "s3://spec/${PipelineKey}"}), TRANSFORM, "--pipeline_uri", "no bucket"),
    Mistake("a log of another prefix", put("transform", "ChecksumJob", "DefaultArguments.--custom-logGroup-prefix", "/aws-glue/other"), TRANSFORM, "--custom-logGroup-prefix", "for ever"),
    Mistake("no worker type", drop("transform", "SilverToGoldJob", "WorkerType"), TRANSFORM, "WorkerType", "missing"),
    Mistake("no number of workers", drop("transform", "EraseJob", "NumberOfWorkers"), TRANSFORM, "NumberOfWorkers", "missing"),
    Mistake("Glue's own version", drop("transform", "ChecksumJob", "GlueVersion"), TRANSFORM, "GlueVersion", "old Spark"),
    Mistake("Lambda's own memory", drop("source", "SourceFunction", "MemorySize"), SOURCE, "MemorySize", "128"),
    Mistake("a zip of no key", drop("source", "GeneratorFunction", "Code.S3Key"), SOURCE, "Code.S3Key", "no zip"),
    Mistake("a certificate of no text", drop("replication", "SourceCertificate", "CertificatePem"), REPLICATION, "CertificatePem", "missing"),
    Mistake("a login that is no JSON", put("warehouse", "DashboardSecret", "GenerateSecretString.SecretStringTemplate", "username=x"), WAREHOUSE, "SecretStringTemplate", "no JSON"),
    Mistake("a password of another name", put("warehouse", "DashboardSecret", "GenerateSecretString.GenerateStringKey", "secret"), WAREHOUSE, "GenerateStringKey", "nobody reads"),
    Mistake("an expression of no metric", put("observability", "StaleGold", "Metrics.2.Id", "gold"), OBSERVABILITY, "StaleGold.Properties.Metrics[0].Expression", "loaded"),
    Mistake("an alarm without a result", drop("observability", "StaleGold", "Metrics.0"), OBSERVABILITY, "StaleGold.Properties.Metrics", "return data"),
    Mistake("an alarm without a comparison", drop("observability", "StaleGold", "ComparisonOperator"), OBSERVABILITY, "StaleGold.Properties.ComparisonOperator", "refuses"),
    Mistake("a metric that nobody publishes", put("observability", "StaleGold", "Metrics.2.MetricStat.Metric.MetricName", "GoldStored"), OBSERVABILITY, "StaleGold.Properties.Metrics[2]", "nobody publishes"),
    Mistake("a metric without its dimension", drop("observability", "StaleGold", "Metrics.2.MetricStat.Metric.Dimensions"), OBSERVABILITY, "StaleGold.Properties.Metrics[2]", "nobody publishes"),
    Mistake("a service's metric without its dimension", drop("observability", "StaleGold", "Metrics.1.MetricStat.Metric.Dimensions"), OBSERVABILITY, "StaleGold.Properties.Metrics[1]", "never ring"),
    Mistake("a namespace that there is not", put("observability", "SourceFunctionErrors", "Namespace", "Lambda"), OBSERVABILITY, "SourceFunctionErrors", "nobody publishes"),
    Mistake("a part of an ARN that is not there", put("observability", "SourceLag", "Dimensions.1.Value", {"Fn::Select": [9, {"Fn::Split": [":", {"Ref": "ReplicationTaskArn"}]}]}), OBSERVABILITY, "SourceLag", "there is none"),
    Mistake("an end that nobody hears of", drop("orchestration", "UntoldFailures", "EventPattern.detail.status.0"), ORCHESTRATION, "Resources", "TIMED_OUT"),
    Mistake("a pattern of nothing", put("observability", "ReplicationState", "EventPattern.detail-type", []), OBSERVABILITY, "detail-type", "empty list"),
    Mistake("a generator that is started again", drop("orchestration", "GeneratorScheduleEntry", "Target.RetryPolicy.MaximumRetryAttempts"), ORCHESTRATION, "RetryPolicy", "twice"),
    Mistake("a refresh of no data set", put("visualization", "CustomerSegmentsDataRefresh", "DataSetId", {"Fn::Sub": "${Prefix}-segments"}), VISUALIZATION, "DataSetId", "no data set"),
    Mistake("a data set that grows old", gone("visualization", "SalesOverTimeDataRefresh"), VISUALIZATION, "SalesOverTimeData", "old numbers"),
    Mistake("a refresh of no kind", drop("visualization", "TopProductsDataRefresh", "Schedule.RefreshType"), VISUALIZATION, "RefreshType", "missing"),
    Mistake("a data set of no account", drop("visualization", "TopProductsData", "AwsAccountId"), VISUALIZATION, "AwsAccountId", "missing"),
    Mistake("half of a permission", drop("visualization", "TopProductsData", "Permissions.0.Actions.8"), VISUALIZATION, "Permissions", "neither"),
    Mistake("a subnet of any zone", drop("network", "PrivateSubnet1", "AvailabilityZone"), NETWORK, "AvailabilityZone", "missing"),
    Mistake("a port that there is not", put("visualization", "WarehouseFromQuickSight", "ToPort", 105439), VISUALIZATION, "ToPort", "105439"),
    Mistake("metadata of no kind", put("source", "DatabaseParameters", "Parameters.binlog_row_metadata", "WHOLE"), SOURCE, "binlog_row_metadata", "WHOLE"),
]  # fmt: skip

MISTAKES = [
    *REPLICATED,
    *SOURCED,
    *NETWORKED,
    *STORED,
    *STATES,
    *WAREHOUSED,
    *SHOWN,
    *TRIED,
    *SURVIVED,
    *LINTED,
]
