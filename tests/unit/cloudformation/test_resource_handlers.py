"""Handlers turn properties into API calls that the services' own models accept."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from fake_cloud import Account, Cloud

from medallion_cli.local.cloudformation.inert import INERT
from medallion_cli.local.cloudformation.resources import handlers
from medallion_cli.local.cloudformation.schemas import resource_schema
from medallion_cli.local.protocol import ServiceError

ROLE = "arn:aws:iam::000000000000:role/r"
ARN = "arn:aws:dms:eu-central-1:000000000000"


@cache
def service_model(service: str) -> Any:
    import botocore.session

    return botocore.session.get_session().get_service_model(service)


class StrictCloud(Cloud):
    """A cloud that refuses what botocore's model of the service refuses."""

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        from botocore.validate import ParamValidator

        model = service_model(service).operation_model(operation)
        report = ParamValidator().validate(params, model.input_shape)
        assert not report.has_errors(), report.generate_report()
        return super().call(service, operation, **params)

    def CreateReplicationInstance(self, params: dict[str, Any]) -> dict[str, Any]:
        arn = f"{ARN}:rep:X"
        self.things[arn] = {"ReplicationInstanceArn": arn, "ReplicationInstanceStatus": "available"}
        return {"ReplicationInstance": self.things[arn]}

    def DescribeReplicationInstances(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"ReplicationInstances": self._matching(params)}

    def _matching(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        (value,) = params["Filters"][0]["Values"]
        if value not in self.things:
            raise ServiceError("ResourceNotFoundFault", "none")
        return [self.things[value]]

    def DeleteReplicationInstance(self, params: dict[str, Any]) -> dict[str, Any]:
        return self.things.pop(params["ReplicationInstanceArn"])

    def CreateEndpoint(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"Endpoint": {"EndpointArn": f"{ARN}:endpoint:{params['EndpointIdentifier']}"}}

    def ModifyEndpoint(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"Endpoint": {"EndpointArn": params["EndpointArn"]}}

    def CreateReplicationTask(self, params: dict[str, Any]) -> dict[str, Any]:
        arn = f"{ARN}:task:X"
        self.things[arn] = {"ReplicationTaskArn": arn, "Status": "ready"}
        return {"ReplicationTask": self.things[arn]}

    def DescribeReplicationTasks(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"ReplicationTasks": self._matching(params)}

    def DeleteReplicationTask(self, params: dict[str, Any]) -> dict[str, Any]:
        return self.things.pop(params["ReplicationTaskArn"])

    def CreateNamespace(self, params: dict[str, Any]) -> dict[str, Any]:
        self.things[params["namespaceName"]] = params | {"status": "AVAILABLE", "namespaceId": "n-1"}
        return {}

    def GetNamespace(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"namespace": self._take(params["namespaceName"], "ResourceNotFoundException")}

    def DeleteNamespace(self, params: dict[str, Any]) -> dict[str, Any]:
        return self.things.pop(params["namespaceName"])

    def CreateWorkgroup(self, params: dict[str, Any]) -> dict[str, Any]:
        endpoint = {"address": "127.0.0.1", "port": 5439}
        facts = {"status": "AVAILABLE", "workgroupId": "w-1", "endpoint": endpoint}
        self.things[params["workgroupName"]] = params | facts
        return {}

    def GetWorkgroup(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"workgroup": self._take(params["workgroupName"], "ResourceNotFoundException")}

    def DeleteWorkgroup(self, params: dict[str, Any]) -> dict[str, Any]:
        return self.things.pop(params["workgroupName"])


DMS = f"""
Resources:
  Group:
    Type: AWS::DMS::ReplicationSubnetGroup
    Properties: {{ReplicationSubnetGroupDescription: d, SubnetIds: [subnet-1, subnet-2]}}
  Instance:
    Type: AWS::DMS::ReplicationInstance
    Properties:
      ReplicationInstanceClass: dms.t3.medium
      AllocatedStorage: 50
      ReplicationSubnetGroupIdentifier: !Ref Group
  Source:
    Type: AWS::DMS::Endpoint
    Properties:
      EndpointType: source
      EngineName: mysql
      MySqlSettings: {{SecretsManagerSecretId: s, SecretsManagerAccessRoleArn: {ROLE}}}
  Target:
    Type: AWS::DMS::Endpoint
    Properties:
      EndpointType: target
      EngineName: s3
      S3Settings: {{BucketName: b, BucketFolder: g0001, DatePartitionEnabled: true}}
  Task:
    Type: AWS::DMS::ReplicationTask
    Properties:
      MigrationType: full-load-and-cdc
      ReplicationInstanceArn: !Ref Instance
      SourceEndpointArn: !Ref Source
      TargetEndpointArn: !Ref Target
      TableMappings: '{{"rules": []}}'
      ReplicationTaskSettings: '{{}}'
"""
WAREHOUSE = f"""
Resources:
  Namespace:
    Type: AWS::RedshiftServerless::Namespace
    Properties: {{NamespaceName: the-namespace, DbName: dev, AdminUsername: admin}}
  Workgroup:
    Type: AWS::RedshiftServerless::Workgroup
    Properties:
      WorkgroupName: the-workgroup
      NamespaceName: !Ref Namespace
      BaseCapacity: 8
      ConfigParameters: [{{ParameterKey: enable_user_activity_logging, ParameterValue: 'true'}}]
  Database: {{Type: 'AWS::Glue::Database', Properties: {{CatalogId: '0', DatabaseInput: {{Name: Silver}}}}}}
  Job:
    Type: AWS::Glue::Job
    Properties:
      Role: {ROLE}
      Command: {{Name: glueetl, PythonVersion: '3', ScriptLocation: 's3://a/b.py'}}
      DefaultArguments: {{--datalake-formats: iceberg}}
      GlueVersion: '5.0'
      MaxRetries: 0
      NumberOfWorkers: '2'
      Tags: {{a: b}}
Outputs:
  Address: {{Value: !Sub '${{Workgroup.Workgroup.Endpoint.Address}}:${{Workgroup.Workgroup.Endpoint.Port}}'}}
  Id: {{Value: !GetAtt Workgroup.Workgroup.WorkgroupId}}
  Namespace: {{Value: !GetAtt Namespace.Namespace.NamespaceId}}
  Database: {{Value: !Ref Database}}
"""
COMPUTE = f"""
Resources:
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Role: {ROLE}
      Runtime: python3.12
      Handler: index.handler
      Timeout: '900'
      ReservedConcurrentExecutions: 1
      Code: {{S3Bucket: bucket, S3Key: k.zip}}
      Environment: {{Variables: {{PLACE: !Ref 'AWS::Region'}}}}
  Machine:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      RoleArn: {ROLE}
      Definition: {{StartAt: A, States: {{A: {{Type: Succeed, Comment: 'in ${{Place}}'}}}}}}
      DefinitionSubstitutions: {{Place: !Ref 'AWS::Region'}}
  Group: {{Type: 'AWS::Scheduler::ScheduleGroup'}}
  Schedule:
    Type: AWS::Scheduler::Schedule
    Properties:
      GroupName: !Ref Group
      ScheduleExpression: rate(1 hour)
      State: DISABLED
      FlexibleTimeWindow: {{Mode: 'OFF'}}
      Target: {{Arn: !GetAtt Machine.Arn, RoleArn: {ROLE}, Input: '{{}}'}}
  Topic:
    Type: AWS::SNS::Topic
    Properties: {{DisplayName: d, Subscription: [{{Protocol: email, Endpoint: a@example.org}}]}}
  Logs: {{Type: 'AWS::Logs::LogGroup', Properties: {{RetentionInDays: 30}}}}
  Parameters:
    Type: AWS::RDS::DBParameterGroup
    Properties: {{Family: mysql8.4, Description: d, Parameters: {{binlog_format: ROW}}}}
"""


@pytest.fixture
def strict() -> Account:
    return Account(StrictCloud())


@pytest.mark.parametrize("body", [DMS, WAREHOUSE, COMPUTE])
def test_every_call_is_valid_and_everything_made_is_deleted(strict: Account, body: str) -> None:
    assert strict.deploy(body) == "CREATE_COMPLETE", strict.api.describe_stack_events({"StackName": "demo"})
    assert strict.delete() == "DELETE_COMPLETE"
    assert strict.cloud.things == {}


def test_dms_settings_reach_dms_in_its_own_spelling(strict: Account) -> None:
    strict.deploy(DMS)
    made = {p["EndpointType"]: p for name, p in strict.cloud.calls if name == "CreateEndpoint"}
    source, target = made["source"], made["target"]
    assert source["MySQLSettings"]["SecretsManagerSecretId"] == "s"
    assert target["S3Settings"]["DatePartitionEnabled"] is True
    assert target["EndpointIdentifier"].startswith("demo-target-")


def test_changed_endpoint_settings_are_sent_whole(strict: Account) -> None:
    strict.deploy(DMS)
    strict.cloud.calls.clear()
    assert strict.deploy(DMS.replace("g0001", "g0002")) == "UPDATE_COMPLETE"
    ((name, params),) = strict.cloud.calls
    assert name == "ModifyEndpoint"
    assert params["S3Settings"]["BucketFolder"] == "g0002"
    assert params["S3Settings"]["BucketName"] == "b"


def test_a_running_task_refuses_to_change_until_it_is_stopped(strict: Account) -> None:
    """It refuses the rollback just as it refused the update: that goes on once the task is stopped."""
    strict.deploy(DMS)
    text = "Replication Task cannot be modified while it is running"
    strict.cloud.failing["ModifyReplicationTask"] = ServiceError("InvalidResourceStateFault", text)
    assert strict.deploy(DMS.replace('"rules": []', '"rules": [1]')) == "UPDATE_ROLLBACK_FAILED"
    assert "InvalidResourceStateFault" in strict.reason("Task", "UPDATE_FAILED")
    strict.cloud.failing.clear()
    strict.api.continue_update_rollback({"StackName": "demo"})
    strict.api.wait("demo")
    assert strict.status() == "UPDATE_ROLLBACK_COMPLETE"
    last = [params for name, params in strict.cloud.calls if name == "ModifyReplicationTask"][-1]
    assert last["TableMappings"] == '{"rules": []}'


def test_warehouse_attributes_are_what_the_service_says(strict: Account) -> None:
    strict.deploy(WAREHOUSE)
    assert strict.outputs() == {
        "Address": "127.0.0.1:5439",
        "Id": "w-1",
        "Namespace": "n-1",
        "Database": "silver",
    }


def test_a_definition_is_json_with_its_substitutions(strict: Account) -> None:
    strict.deploy(COMPUTE)
    made = next(params for name, params in strict.cloud.calls if name == "CreateStateMachine")
    assert json.loads(made["definition"])["States"]["A"]["Comment"] == "in eu-central-1"


def test_new_code_is_another_call_than_new_configuration(strict: Account) -> None:
    strict.deploy(COMPUTE)
    strict.cloud.calls.clear()
    strict.deploy(COMPUTE.replace("k.zip", "l.zip"))
    assert strict.cloud.operations() == ["UpdateFunctionCode"]
    strict.cloud.calls.clear()
    strict.deploy(COMPUTE.replace("k.zip", "l.zip").replace("'900'", "'60'"))
    assert strict.cloud.operations() == ["UpdateFunctionConfiguration"]


def test_a_restart_puts_back_what_services_forgot(strict: Account) -> None:
    strict.deploy(COMPUTE)
    names = [thing for _, params in strict.cloud.calls for thing in [params.get("name")] if thing]
    strict.cloud.calls.clear()
    again = Account(strict.cloud)
    again.api.start()
    made = [params["name"] for name, params in strict.cloud.calls if name == "CreateStateMachine"]
    assert made == names[:1]
    assert "CreateDBInstance" not in strict.cloud.operations()


def test_every_handled_type_exists_and_none_is_both_active_and_inert() -> None:
    active = set(handlers())
    assert not active & set(INERT)
    assert [name for name in sorted(active | set(INERT)) if resource_schema(name) is None] == []
